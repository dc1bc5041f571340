package main

import (
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/cmd/internal/message"
)

// tellRequests says with -v what was asked of the storage.
func (a *app) tellRequests(t count.Totals) {
	if a.flags.verbose > 0 {
		a.out.Note("%s", message.Requests(t))
	}
}

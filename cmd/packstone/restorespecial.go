package main

import (
	"fmt"
	"os"
)

// tellLent says what lends rights and came back since this process may bring it back, or did not
// since --no-special was given.
func (r *restoring) tellLent() {
	switch {
	case r.lent.None() || r.o.server != nil:
	case r.o.noSpecial:
		r.out.Note("left out for --no-special: %s", &r.lent)
	case os.Geteuid() == 0:
		verb := "came back"
		if r.dry() {
			verb = "would come back"
		}
		r.Warn(fmt.Sprintf("files that give rights to whoever runs or opens them %s (%s): if you do not trust the host of the snapshot, restore "+
			"with --no-special", verb, &r.lent))
	}
}

// tellOthers says whose files come to belong to others, since this machine does not know their owner.
func (r *restoring) tellOthers() {
	if r.others.None() || r.o.server != nil || r.o.numeric || r.o.owner != "" || os.Geteuid() != 0 {
		return
	}
	r.Warn(fmt.Sprintf("owners that this machine does not know: %s; make them and restore again, or choose others with --owner", &r.others))
}

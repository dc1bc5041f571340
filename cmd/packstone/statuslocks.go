package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/keep"
)

// statusLocks is what the last packstone keep on this machine has found.
type statusLocks struct {
	Until    time.Time      `json:"until" doc:"When the first lock ends of what a restore needs."`
	Mode     store.LockMode `json:"mode" doc:"GOVERNANCE or COMPLIANCE."`
	At       time.Time      `json:"at" doc:"When that was found."`
	Objects  int            `json:"objects" doc:"How many objects are locked."`
	Bytes    int64          `json:"bytes" doc:"Their bytes."`
	Withheld int            `json:"withheld,omitempty" doc:"New packs that were not extended, since there are too many."`
}

// locksOf returns what is remembered of locks, nil if nothing is.
func locksOf(repo *catalog.Repository) *statusLocks {
	seen, ok := keep.LastSeen(repo)
	if !ok || seen.Objects == 0 {
		return nil
	}
	return &statusLocks{Until: seen.Until, Mode: seen.Mode, At: seen.At, Objects: seen.Objects, Bytes: seen.Bytes, Withheld: seen.Withheld}
}

func (l *statusLocks) text() string {
	text := fmt.Sprintf("locked (%s) until %s at least: %s, %s, as packstone keep found on %s", strings.ToLower(string(l.Mode)), output.Time(l.Until),
		output.Plural(l.Objects, "object"), output.Bytes(l.Bytes), output.Time(l.At))
	if l.Withheld > 0 {
		text += fmt.Sprintf("; the locks of %s were not extended", output.Plural(l.Withheld, "new pack"))
	}
	return text
}

package health

import (
	"strings"
	"time"
)

// Judge adds the verdict at now to the facts of a set: it sets State, Since and Cause.
func Judge(s Set, now time.Time) Set {
	s.State, s.Since, s.Cause = verdict(s, now)
	return s
}

func verdict(s Set, now time.Time) (state State, since time.Time, cause string) {
	switch {
	case s.DrillOnly && s.DrillFault == "":
		return Protected, s.Drilled, ""
	case s.DrillOnly:
		return Undrilled, s.DrillFaultSince, s.DrillFault
	case s.Damage != "":
		return Damaged, s.DamageSince, s.Damage
	case s.Overdue(now):
		return Late, s.reckonedFrom().Add(s.MaxAge), lateCause(s)
	case s.Last.Outcome == Broken:
		return Failed, s.FirstFault, s.Last.Cause
	case s.Last.Outcome == Interrupted && s.Failures > 0:
		return Failed, s.FirstFault, "the run before the last one failed, and the last one was interrupted"
	case s.Tripped:
		return Tripped, s.faultSince(), s.TripCause
	case s.DrillFault != "":
		return Undrilled, s.DrillFaultSince, s.DrillFault
	case s.Last.Outcome == Missing:
		return Incomplete, s.faultSince(), s.Last.Cause
	case s.Newest.IsZero():
		return Never, time.Time{}, "it has never been backed up"
	}
	return Protected, s.Newest, ""
}

// faultSince returns since when something is wrong with the last snapshot, as far as that is known.
func (s Set) faultSince() time.Time {
	if !s.FirstFault.IsZero() {
		return s.FirstFault
	}
	return s.Last.End()
}

func lateCause(s Set) string {
	text := "the newest complete snapshot is older than "
	if s.Newest.IsZero() {
		text = "there has been no complete snapshot for more than "
	}
	text += strings.TrimSuffix(strings.TrimSuffix(s.MaxAge.String(), "0s"), "0m")
	switch {
	case s.Last.Outcome == Broken:
		return text + "; the last run failed: " + s.Last.Cause
	case s.Tripped:
		return text + "; a tripwire marked the last snapshot: " + s.TripCause
	case s.Last.Outcome == Missing:
		return text + "; the last run was incomplete: " + s.Last.Cause
	}
	return text
}

// Change is a set whose state has changed.
type Change struct {
	Before, After Set // Before is the zero Set of one that was not known
}

// Recovered reports whether all is well again.
func (c Change) Recovered() bool {
	return c.After.State.Good() && c.Before.State != "" && !c.Before.State.Good()
}

// Changes returns the sets whose state has changed, in the order of after. A set that is not in
// before counts only if its state is bad, other than never: a set that was just added to the
// settings has not run yet, which is not worth reporting.
func Changes(before, after []Set) []Change {
	known := make(map[string]Set, len(before))
	for _, s := range before {
		known[s.Key()] = s
	}
	var changes []Change
	for _, s := range after {
		was, there := known[s.Key()]
		if there && was.State == s.State || !there && (s.State.Good() || s.State == Never) {
			continue
		}
		changes = append(changes, Change{Before: was, After: s})
	}
	return changes
}

// Package health judges how well a set on a host is protected, from what is known of its snapshots
// and runs. It does no I/O and imports no other package of the module. Status, metrics, notices and
// pages all show its verdict.
package health

import "time"

// State is the verdict on a set. Its text is part of --json output and metrics.
type State string

// The states, the gravest first. If several apply, Judge chooses the first, and Cause names the
// others.
const (
	Damaged    State = "damaged"      // a check found damage in what its snapshots need
	Late       State = "late"         // the newest complete snapshot is older than max_age
	Failed     State = "failed"       // the last run failed, and no retry is left or has helped so far
	Never      State = "never"        // there is no complete snapshot, and no run has failed yet
	Tripped    State = "tripped"      // the last snapshot looks like a loss: a tripwire marked it
	Undrilled  State = "drill_failed" // the last drill failed: nobody knows whether it can be restored
	Incomplete State = "incomplete"   // the last run left something out
	Protected  State = "protected"    // none of that
)

// States lists all states, the gravest first.
var States = []State{Damaged, Late, Failed, Never, Tripped, Undrilled, Incomplete, Protected}

// Good reports whether nobody needs to act.
func (s State) Good() bool { return s == Protected }

// Outcome is how a run ended. Its text is part of --json output, metrics and the history.
type Outcome string

// The outcomes of runs.
const (
	Done        Outcome = "done"
	Missing     Outcome = "incomplete"  // done, but something is missing and listed
	Broken      Outcome = "failed"      // not done; Cause says why
	Interrupted Outcome = "interrupted" // ended by a signal, or the process died: neither a success nor a failure
	None        Outcome = ""            // no run is known
)

// Run is one run of a backup. The zero value means that none is known.
type Run struct {
	Start    time.Time
	Duration time.Duration
	Outcome  Outcome
	Cause    string // in one line, of what is not Done
	Code     int    // the exit code that a verb would end with

	BytesRead   int64 // from the sources
	BytesAdded  int64 // of chunks that were new
	BytesStored int64 // of packs that were uploaded
	Files       int64 // in the snapshot
}

// End returns when the run ended.
func (r Run) End() time.Time { return r.Start.Add(r.Duration) }

// Set is what is known of a set on a host, and the verdict. Times that are not known are zero.
type Set struct {
	Name string // "" for paths
	Host string

	State State
	Since time.Time // when State began
	Cause string    // in words for a person; "" if protected

	Newest    time.Time     // of the newest complete snapshot that no tripwire marked
	Snapshots int           // how many there are, of any kind
	Counted   bool          // Snapshots is known
	MaxAge    time.Duration // 0: no bound is set
	Watched   time.Time     // since when it is to be backed up by itself here; zero: it is not, or nobody knows
	Next      time.Time     // when the set runs next

	Last        Run       // the last run that ended
	LastSuccess time.Time // when the last run that was Done ended
	Failures    int       // runs in a row that were Broken, up to now
	FirstFault  time.Time // when the first run ended that was not Done, after the last that was

	Tripped         bool          // the newest snapshot is marked by a tripwire
	TripCause       string        // what the tripwire saw
	Damage          string        // what the last check found wrong; "" if nothing
	DamageSince     time.Time     // when it was found
	DrillOnly       bool          // it is backed up elsewhere, and only drilled here
	Drilled         time.Time     // when the last drill began
	DrillTook       time.Duration // how long it took
	DrillRPO        time.Duration // that the last one that came to its end has measured; 0: none did
	DrillRTO        time.Duration
	DrillFault      string    // why it failed; "" if it has passed
	DrillFaultSince time.Time // when the first of the drills ended that failed in a row

	Verified time.Time // when the content was last verified
}

// Age returns how old the newest complete snapshot is at now; negative if there is none.
func (s Set) Age(now time.Time) time.Duration {
	if s.Newest.IsZero() {
		return -1
	}
	return max(0, now.Sub(s.Newest))
}

// VerifiedAge returns how long ago the content was verified; negative if it never was.
func (s Set) VerifiedAge(now time.Time) time.Duration {
	if s.Verified.IsZero() {
		return -1
	}
	return max(0, now.Sub(s.Verified))
}

// Overdue reports whether the newest complete snapshot is older than the set's bound, or there has
// been none for so long.
func (s Set) Overdue(now time.Time) bool {
	return s.MaxAge > 0 && !s.reckonedFrom().IsZero() && now.Sub(s.reckonedFrom()) > s.MaxAge
}

// reckonedFrom returns the time from which the set's limit counts.
func (s Set) reckonedFrom() time.Time {
	if s.Newest.IsZero() {
		return s.Watched
	}
	return s.Newest
}

// Key identifies a set on a host.
func (s Set) Key() string { return s.Host + "/" + s.Name }

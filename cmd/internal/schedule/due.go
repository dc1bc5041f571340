package schedule

import (
	"cmp"
	"slices"
	"time"
)

// Job is something that is done repeatedly.
type Job struct {
	Name string // which tells it apart
	*Timing
	// Yields is for how long other due jobs run first.
	Yields time.Duration
}

// Past is what is remembered of a job. The zero value is a job that never ran.
type Past struct {
	Answered time.Time // the newest slot of which nothing is left to do

	// About a slot whose run failed and will be retried.
	Trying   time.Time // the slot
	First    time.Time // when the first attempt began
	Last     time.Time // when the last attempt ended
	Attempts int       // how many there were; 0: there is nothing to try again
}

// Why a job is due.
type Why string

// The reasons.
const (
	First    Why = "first"    // it never ran
	Slot     Why = "schedule" // its time has come
	CatchUp  Why = "catch-up" // its time came while nothing ran, or was kept from running
	Retry    Why = "retry"    // its last run failed
	ByHand   Why = "asked"    // somebody has asked for it
	lateness     = time.Minute
)

// Due is when a job will run, and which slot that answers.
type Due struct {
	Job  Job
	At   time.Time // now or earlier: at once
	Slot time.Time // the newest that a run at At, or now, answers
	Why  Why
}

// farAhead is how far in the future a remembered time may be. Beyond that, the clock was wrong when
// it was recorded.
const farAhead = 24 * time.Hour

// Next returns when a job is due next. A job that is never due again has a zero time.
func (j Job) Next(p Past, now time.Time) Due {
	if p.ahead(now) {
		p = Past{}
	}
	if p.Answered.IsZero() && p.Attempts == 0 {
		return Due{Job: j, At: now, Slot: now, Why: First}
	}
	after := p.Answered
	if p.Attempts > 0 {
		after = p.Trying
	}
	if slot := j.newest(after, now.Add(-j.shift)); !slot.IsZero() {
		due := Due{Job: j, At: slot.Add(j.shift), Slot: slot, Why: Slot}
		if now.Sub(due.At) > lateness {
			due.Why = CatchUp
		}
		return due
	}
	due := Due{Job: j, Slot: j.slot(after), Why: Slot}
	if !due.Slot.IsZero() {
		due.At = due.Slot.Add(j.shift)
	}
	if p.Attempts == 0 {
		return due
	}
	if at := p.Last.Add(backOff(p.Attempts, j.retryFor)); due.At.IsZero() || at.Before(due.At) {
		return Due{Job: j, At: at, Slot: p.Trying, Why: Retry}
	}
	return due
}

func (p Past) ahead(now time.Time) bool {
	limit := now.Add(farAhead)
	return p.Answered.After(limit) || p.Last.After(limit)
}

// Asked returns a run for which somebody asks now. It answers what is due, and what is to be tried
// again; else it leaves the schedule as it is.
func (j Job) Asked(p Past, now time.Time) Due {
	due := j.Next(p, now)
	if due.At.After(now) && due.Why != Retry {
		due.Slot = time.Time{}
	}
	return Due{Job: j, At: now, Slot: due.Slot, Why: ByHand}
}

// backOff returns how long a job waits after a failed attempt: twice as long each time, from a
// minute (or a sixteenth of the window, if that is less) to an hour.
func backOff(attempts int, window time.Duration) time.Duration {
	first := min(time.Minute, max(window/16, time.Second))
	return min(first<<min(attempts-1, 12), time.Hour)
}

// Result is how a run ended.
type Result struct {
	Began, Ended time.Time
	Failed       bool
	Hopeless     bool // it failed, and would fail again
	Broken       bool // it was interrupted, and answers nothing
}

// Ran returns the past of a job after a run that answers a slot.
func (j Job) Ran(p Past, slot time.Time, r Result) Past {
	switch {
	case r.Broken:
		return p
	case !r.Failed || r.Hopeless:
		return Past{Answered: slot}
	}
	if p.Attempts == 0 || !p.Trying.Equal(slot) {
		p.Trying, p.First, p.Attempts = slot, r.Began, 0
	}
	p.Attempts, p.Last = p.Attempts+1, r.Ended
	if r.Ended.Add(backOff(p.Attempts, j.retryFor)).After(p.First.Add(j.retryFor)) {
		return Past{Answered: slot}
	}
	return p
}

// Next returns the job to run next, and when; false if there is none. If several are due, the one
// that has waited longest comes first; among equals, the first in jobs.
func Next(jobs []Job, past map[string]Past, now time.Time) (Due, bool) {
	all := dues(jobs, past, now)
	if len(all) == 0 {
		return Due{}, false
	}
	waiting := slices.DeleteFunc(slices.Clone(all), func(d Due) bool { return d.At.After(now) })
	if len(waiting) == 0 {
		return all[0], true
	}
	return slices.MinFunc(waiting, func(a, b Due) int { return a.At.Add(a.Job.Yields).Compare(b.At.Add(b.Job.Yields)) }), true
}

// dues returns the jobs that will be due, sorted by time.
func dues(jobs []Job, past map[string]Past, now time.Time) (all []Due) {
	for _, j := range jobs {
		if due := j.Next(past[j.Name], now); !due.At.IsZero() {
			all = append(all, due)
		}
	}
	slices.SortStableFunc(all, func(a, b Due) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Job.Yields, b.Job.Yields)) })
	return all
}

// Coming returns the next n runs, assuming that each succeeds immediately.
func Coming(jobs []Job, past map[string]Past, now time.Time, n int) (coming []Due) {
	then := make(map[string]Past, len(past))
	for name, p := range past {
		then[name] = p
	}
	for len(coming) < n {
		all := dues(jobs, then, now)
		if len(all) == 0 {
			break
		}
		due := all[0]
		coming = append(coming, due)
		then[due.Job.Name] = Past{Answered: due.Slot}
		if due.At.After(now) {
			now = due.At
		}
	}
	return coming
}

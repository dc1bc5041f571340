package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// The reasons why a job is not started or stopped.
var (
	ErrNoJob     = errors.New("there is no such job in the settings")
	ErrAtWork    = errors.New("it is at work already")
	ErrWaits     = errors.New("it was asked for already, and waits for the job at work")
	ErrNotAtWork = errors.New("it is not at work")
	ErrStopping  = errors.New("it was told to stop already")
)

// Work is what a daemon has to do.
type Work struct {
	Jobs   []Coming // as in the settings
	AtWork *AtWork  // nil: no job is
}

// Coming is a job with its next time.
type Coming struct {
	Name string
	Kind string
	Next time.Time // zero: it has none
	By   string    // who has asked for it; "": nobody, or it has begun
}

// AtWork is the job that runs.
type AtWork struct {
	Name    string
	Why     schedule.Why
	Began   time.Time
	By      string // who has asked for it; "": nobody
	Stopped string // who has stopped it; "": nobody
}

// errAsked ends a job that somebody has stopped.
var errAsked = errors.New("somebody has stopped the job")

// desk is where people ask for jobs, and where the loop tells what it does. The lock of the daemon
// guards it.
type desk struct {
	jobs   []Coming
	asked  []string // names of jobs, the first to begin first
	atWork *AtWork
	end    context.CancelCauseFunc // of the job at work
	wake   chan struct{}           // told when something was asked for
}

// Work tells what there is to do. It may be called at any time.
func (d *Daemon) Work() Work {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := Work{Jobs: slices.Clone(d.desk.jobs)}
	if d.desk.atWork != nil {
		now := *d.desk.atWork
		w.AtWork = &now
	}
	return w
}

// Start has a job begin as soon as no other is at work. by says for whom. It may be called at any
// time.
func (d *Daemon) Start(name, by string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.desk.find(name)
	switch {
	case i < 0:
		return ErrNoJob
	case d.desk.atWork != nil && d.desk.atWork.Name == name:
		return fmt.Errorf("%s is not started: %w", name, ErrAtWork)
	case slices.Contains(d.desk.asked, name):
		return fmt.Errorf("%s is not started again: %w", name, ErrWaits)
	}
	d.desk.asked = append(d.desk.asked, name)
	d.desk.jobs[i].By = by
	select {
	case d.desk.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// Stop ends a job that is at work, as a signal would, until its next time; one that was asked for
// and has not begun does not begin. It may be called at any time.
func (d *Daemon) Stop(name, by string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.desk.atWork
	if now != nil && now.Name == name {
		if now.Stopped != "" {
			return fmt.Errorf("%s is not stopped again: %w", name, ErrStopping)
		}
		now.Stopped = by
		d.desk.end(errAsked)
		return nil
	}
	if i := slices.Index(d.desk.asked, name); i >= 0 {
		d.desk.asked = slices.Delete(d.desk.asked, i, i+1)
		d.desk.clear(name)
		return nil
	}
	if d.desk.find(name) < 0 {
		return ErrNoJob
	}
	return fmt.Errorf("%s is not stopped: %w", name, ErrNotAtWork)
}

func (k *desk) find(name string) int {
	return slices.IndexFunc(k.jobs, func(c Coming) bool { return c.Name == name })
}

// clear forgets who has asked for a job, and returns him.
func (k *desk) clear(name string) (by string) {
	if i := k.find(name); i >= 0 {
		by, k.jobs[i].By = k.jobs[i].By, ""
	}
	return by
}

// publish tells at the desk which jobs there are, and when they are due.
func (d *Daemon) publish() {
	now := d.Now()
	jobs := make([]Coming, len(d.Jobs))
	for i, j := range d.Jobs {
		jobs[i] = Coming{Name: j.Name, Kind: j.Kind, Next: j.Job.Next(d.past[j.Name], now).At}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, j := range jobs {
		if was := d.desk.find(j.Name); was >= 0 {
			jobs[i].By = d.desk.jobs[was].By
		}
	}
	d.desk.jobs = jobs
	d.desk.asked = slices.DeleteFunc(d.desk.asked, func(name string) bool { return d.desk.find(name) < 0 })
}

// next is the job to run next, and when: one that somebody has asked for comes first.
func (d *Daemon) next(now time.Time) (schedule.Due, bool) {
	d.mu.Lock()
	name := ""
	if len(d.desk.asked) > 0 {
		name, d.desk.asked = d.desk.asked[0], d.desk.asked[1:]
	}
	d.mu.Unlock()
	if i := slices.IndexFunc(d.Jobs, func(j Job) bool { return j.Name == name }); i >= 0 {
		return d.Jobs[i].Job.Asked(d.past[name], now), true
	}
	return schedule.Next(Timings(d.Jobs), d.past, now)
}

// begin says at the desk that a job begins. The returned context ends when somebody stops it.
func (d *Daemon) begin(ctx context.Context, j Job, due schedule.Due) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.desk.end = end
	d.desk.atWork = &AtWork{Name: j.Name, Why: due.Why, Began: d.Now()}
	if due.Why == schedule.ByHand {
		d.desk.atWork.By = d.desk.clear(j.Name)
	}
	return ctx
}

// leave says that no job is at work anymore, and returns the one that was.
func (d *Daemon) leave() AtWork {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := *d.desk.atWork
	d.desk.end(nil)
	d.desk.atWork = nil
	return was
}

// note writes down who has asked for a run, and who has stopped it.
func (w AtWork) note(run *history.Run) {
	if w.By != "" {
		run.Log = "started for " + w.By + "\n" + run.Log
	}
	if w.Stopped != "" && run.Outcome == health.Interrupted {
		run.Cause = "stopped by " + w.Stopped
	}
}

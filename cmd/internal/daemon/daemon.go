package daemon

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// Options say what a Daemon works with. History, Run and Log are required.
type Options struct {
	Jobs    []Job
	History *history.File
	// Run does what a job is there for. When ctx ends it ends soon, in a way that the next run goes
	// on from.
	Run func(ctx context.Context, j Job) Result
	// Reload reads the settings again. Where it fails it tells so itself, and the jobs stay.
	Reload func() (jobs []Job, ok bool)
	// Changed is called after each run, after a reload, and each minute, by the goroutine that owns
	// History.
	Changed func(ctx context.Context)
	Log     Log
	Now     func() time.Time // nil: the clock on the wall
}

// Log is told what goes on.
type Log struct {
	Started func(j Job, why schedule.Why)
	Ended   func(r *history.Run)
	Warn    func(text string)
}

// Daemon does what is due, and what somebody asks for, one job after the other. Its methods but
// Alive, Work, Start and Stop are for one goroutine.
type Daemon struct {
	Options
	past map[string]schedule.Past

	mu   sync.Mutex
	desk desk
	busy bool
	seen time.Time // when the loop was last seen to turn, by the clock that stands still during sleep
}

// New takes up the work where the history says that it was left.
func New(o Options) (*Daemon, error) {
	if o.Now == nil {
		o.Now = wall
	}
	if o.Changed == nil {
		o.Changed = func(context.Context) {}
	}
	past, err := o.History.Past()
	d := &Daemon{Options: o, past: past, seen: time.Now(), desk: desk{wake: make(chan struct{}, 1)}}
	d.publish()
	return d, err
}

// wall is the time without the monotonic clock, which stands still while the machine sleeps.
func wall() time.Time { return time.Now().Round(0) }

// turn is how often the loop looks at the clock at least: it may have been set, and the machine may
// have slept.
const turn = 30 * time.Second

// Serve does what is due until ctx ends; a run that is at work then is waited for. Each value from
// hangup has the settings read again.
func (d *Daemon) Serve(ctx context.Context, hangup <-chan struct{}) {
	changed := d.Now()
	d.Changed(ctx)
	for ctx.Err() == nil {
		d.beat(false)
		d.publish()
		now := d.Now()
		due, any := d.next(now)
		if any && !due.At.After(now) {
			d.work(ctx, due, hangup)
			changed = d.Now()
			continue
		}
		wait := turn
		if any {
			wait = min(wait, due.At.Sub(now))
		}
		select {
		case <-ctx.Done():
		case <-hangup:
			d.reload(ctx)
		case <-d.desk.wake:
		case <-time.After(wait):
		}
		if now = d.Now(); now.Sub(changed).Abs() >= time.Minute {
			changed = now
			d.Changed(ctx)
		}
	}
}

// Once does what is due now, each job once, and what was then due meanwhile; it returns the runs.
func (d *Daemon) Once(ctx context.Context) (runs []*history.Run) {
	done := map[string]bool{}
	for ctx.Err() == nil {
		left := slices.DeleteFunc(Timings(d.Jobs), func(j schedule.Job) bool { return done[j.Name] })
		now := d.Now()
		due, any := schedule.Next(left, d.past, now)
		if !any || due.At.After(now) {
			break
		}
		done[due.Job.Name] = true
		runs = append(runs, d.work(ctx, due, nil)...)
	}
	return runs
}

// Next is when the backup of a set is due next; zero if it never is.
func (d *Daemon) Next(set string) time.Time {
	for _, j := range d.Jobs {
		if j.Kind == Backup && j.Set == set {
			return j.Job.Next(d.past[j.Name], d.Now()).At
		}
	}
	return time.Time{}
}

// work runs a job that is due, and what follows it.
func (d *Daemon) work(ctx context.Context, due schedule.Due, hangup <-chan struct{}) (runs []*history.Run) {
	i := slices.IndexFunc(d.Jobs, func(j Job) bool { return j.Name == due.Job.Name })
	j := d.Jobs[i]
	run := d.run(ctx, j, due, hangup)
	runs = append(runs, run)
	if run.Outcome != health.Done && run.Outcome != health.Missing {
		return runs
	}
	for _, next := range j.Then {
		if ctx.Err() != nil {
			break
		}
		runs = append(runs, d.run(ctx, next, schedule.Due{Job: next.Job, Why: schedule.Slot}, hangup))
	}
	return runs
}

// run runs one job and writes down what became of it. What cannot be written down is remembered as
// long as the process lives.
func (d *Daemon) run(ctx context.Context, j Job, due schedule.Due, hangup <-chan struct{}) *history.Run {
	run := &history.Run{Job: j.Name, Kind: j.Kind, Name: j.Set, Why: due.Why, Slot: due.Slot, Run: health.Run{Start: d.Now()}}
	d.Log.Started(j, due.Why)
	if err := d.History.Begin(run); err != nil {
		d.Log.Warn(err.Error())
	}
	hopeless := d.await(d.begin(ctx, j, due), j, run, hangup)
	was := d.leave()
	was.note(run)
	run.Duration = max(0, d.Now().Sub(run.Start))
	if !due.Slot.IsZero() {
		d.past[j.Name] = due.Job.Ran(d.past[j.Name], due.Slot, schedule.Result{
			Began: run.Start, Ended: run.End(), Failed: run.Outcome == health.Broken, Hopeless: hopeless,
			Broken: run.Outcome == health.Interrupted && was.Stopped == "",
		})
	}
	if err := d.History.End(run, d.past[j.Name]); err != nil {
		d.Log.Warn(err.Error())
	}
	d.Log.Ended(run)
	d.Changed(ctx)
	return run
}

// await lets the job run beside the loop, so that the settings can be read again meanwhile; they
// count from the next job on.
func (d *Daemon) await(ctx context.Context, j Job, run *history.Run, hangup <-chan struct{}) (hopeless bool) {
	d.beat(true)
	defer d.beat(false)
	done := make(chan Result, 1)
	go func() { done <- d.runSafely(ctx, j) }()
	for {
		select {
		case r := <-done:
			run.Outcome, run.Cause, run.Code, run.Log, run.Snapshot, run.Trip = r.Outcome, r.Cause, r.Code, r.Log, r.Snapshot, r.Trip
			run.BytesRead, run.BytesAdded, run.BytesStored, run.Files = r.BytesRead, r.BytesAdded, r.BytesStored, r.Files
			return r.Hopeless
		case <-hangup:
			d.reload(ctx)
		}
	}
}

// runSafely makes a failure of a panic: one set's must not keep the others from being backed up. It
// makes one of an interruption that nobody asked for too, which would have the job run again at
// once.
func (d *Daemon) runSafely(ctx context.Context, j Job) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			r = Result{Outcome: health.Broken, Code: 1, Cause: fmt.Sprintf("a mistake in packstone: %v", p), Log: string(debug.Stack())}
		}
	}()
	r = d.Run(ctx, j)
	if r.Outcome == health.Interrupted && ctx.Err() == nil {
		r.Outcome = health.Broken
	}
	return r
}

func (d *Daemon) reload(ctx context.Context) {
	if jobs, ok := d.Reload(); ok {
		d.Jobs = jobs
		d.publish()
		d.Changed(ctx)
	}
}

func (d *Daemon) beat(busy bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy, d.seen = busy, time.Now()
}

// Alive tells whether the loop turns, or waits for a job. It may be called at any time.
func (d *Daemon) Alive() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy || time.Since(d.seen) < 4*turn
}

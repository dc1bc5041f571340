package daemon_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
)

// asked lets a daemon live while do asks it for things.
func (p *process) asked(all []daemon.Job, do func(d *daemon.Daemon)) {
	p.with(all, func(d *daemon.Daemon) {
		ctx, cancel := context.WithCancel(p.t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			d.Serve(ctx, nil)
		}()
		synctest.Wait()
		do(d)
		cancel()
		<-ended
	})
}

// taken are the jobs that ran since it was asked last.
func (p *process) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ran := p.ran
	p.ran = nil
	return ran
}

func TestAJobThatIsAskedForRunsAtOnceAndLeavesTheSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.took = time.Minute
		p.asked(jobs(t, daily+"jobs: {prune: {schedule: '@weekly', time_zone: UTC}}\n"), func(d *daemon.Daemon) {
			time.Sleep(time.Hour) // what never ran has run
			synctest.Wait()
			p.taken()
			next := d.Work().Jobs
			if err := d.Start("prune", "anna"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			at := d.Work().AtWork
			if at == nil || at.Name != "prune" || at.By != "anna" || at.Why != "asked" {
				t.Errorf("at work: %+v", at)
			}
			if err := d.Start("prune", "ben"); !errors.Is(err, daemon.ErrAtWork) {
				t.Errorf("while it runs: %v", err)
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if w := d.Work(); w.AtWork != nil || !slices.Equal(w.Jobs, next) {
				t.Errorf("afterwards %+v; before %+v", w, next)
			}
			if ran := p.taken(); !slices.Equal(ran, []string{"prune"}) {
				t.Errorf("ran %v", ran)
			}
			if run := p.lastRun("prune"); run.why != "asked" || !strings.Contains(run.log, "started for anna") {
				t.Errorf("the history says %+v", run)
			}
		})
	})
}

func TestJobsThatAreAskedForWaitForTheOneAtWork(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.took = time.Hour
		p.asked(jobs(t, daily+"jobs: {prune: {schedule: '@weekly', time_zone: UTC}, check: {schedule: '@weekly', time_zone: UTC}}\n"), func(d *daemon.Daemon) {
			time.Sleep(10 * time.Hour)
			synctest.Wait()
			p.taken()
			for _, name := range []string{"check", "prune", "backup s"} {
				if err := d.Start(name, "anna"); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if err := d.Start("prune", "ben"); !errors.Is(err, daemon.ErrWaits) {
				t.Errorf("asked for twice: %v", err)
			}
			if err := d.Stop("prune", "ben"); err != nil { // it has not begun
				t.Error(err)
			}
			if by := d.Work().Jobs[slices.IndexFunc(d.Work().Jobs, func(c daemon.Coming) bool { return c.Name == "prune" })].By; by != "" {
				t.Errorf("withdrawn, and still asked for by %s", by)
			}
			time.Sleep(5 * time.Hour)
			synctest.Wait()
			if ran, want := p.taken(), []string{"check", "backup s", "forget s"}; !slices.Equal(ran, want) {
				t.Errorf("ran %v, want %v", ran, want)
			}
		})
	})
}

func TestAStoppedJobRunsAgainAtItsNextTimeAndNotBefore(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.took = time.Hour
		p.asked(jobs(t, daily), func(d *daemon.Daemon) { // it has never run, so it runs at once
			if err := d.Stop("backup s", "anna"); err != nil {
				t.Fatal(err)
			}
			if err := d.Stop("backup s", "anna"); !errors.Is(err, daemon.ErrStopping) {
				t.Errorf("stopped twice: %v", err)
			}
			synctest.Wait()
			run := p.lastRun("backup s")
			if run.outcome != health.Interrupted || run.cause != "stopped by anna" {
				t.Errorf("the history says %+v", run)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if ran := p.taken(); len(ran) != 1 {
				t.Errorf("ran %v", ran)
			}
			time.Sleep(25 * time.Hour)
			synctest.Wait()
			if ran := p.taken(); !slices.Equal(ran, []string{"backup s", "forget s"}) {
				t.Errorf("ran %v", ran)
			}
		})
	})
}

func TestWhatIsNoJobIsNeitherStartedNorStopped(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.asked(jobs(t, daily), func(d *daemon.Daemon) {
			time.Sleep(time.Hour)
			synctest.Wait()
			for _, name := range []string{"", "backup", "backup x", "forget s", "../backup s"} {
				if err := d.Start(name, "anna"); !errors.Is(err, daemon.ErrNoJob) {
					t.Errorf("start %q: %v", name, err)
				}
				if err := d.Stop(name, "anna"); !errors.Is(err, daemon.ErrNoJob) {
					t.Errorf("stop %q: %v", name, err)
				}
			}
			if err := d.Stop("backup s", "anna"); !errors.Is(err, daemon.ErrNotAtWork) {
				t.Errorf("stop what does not run: %v", err)
			}
		})
	})
}

// noted is what the history says of a run.
type noted struct {
	why, log, cause string
	outcome         health.Outcome
}

func (p *process) lastRun(job string) noted {
	p.t.Helper()
	f, err := history.Read(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	runs, err := f.Runs(10)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range runs {
		if r.Job == job {
			return noted{string(r.Why), r.Log, r.Cause, r.Outcome}
		}
	}
	p.t.Fatalf("no run of %s", job)
	return noted{}
}

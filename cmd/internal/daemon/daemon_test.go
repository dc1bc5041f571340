package daemon_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// process is a daemon in a bubble, with a history that outlives it.
type process struct {
	t      *testing.T
	path   string
	mu     sync.Mutex
	ran    []string
	result func(j daemon.Job) daemon.Result
	took   time.Duration
	offset time.Duration // of the clock on the wall
	hangup chan struct{}
	reload func() ([]daemon.Job, bool)
}

// note writes down that a job runs.
func (p *process) note(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran = append(p.ran, name)
}

func (p *process) now() time.Time { return time.Now().Add(p.offset) }

func settings(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("f.yaml", []byte("version: 1\nsources: {f: {type: files, path: /x}}\n"+text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func jobs(t *testing.T, text string) []daemon.Job {
	t.Helper()
	all, err := daemon.Jobs(settings(t, text), "host", true)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// with runs do with a daemon as a process would have it.
func (p *process) with(all []daemon.Job, do func(d *daemon.Daemon)) {
	f, err := history.Own(p.path, p.now())
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	d, err := daemon.New(daemon.Options{
		Jobs: all, History: f, Now: p.now, Reload: p.reload,
		Run: func(ctx context.Context, j daemon.Job) daemon.Result {
			p.note(j.Name)
			select {
			case <-time.After(p.took):
			case <-ctx.Done():
				return daemon.Result{Outcome: health.Interrupted}
			}
			if p.result != nil {
				return p.result(j)
			}
			return daemon.Result{Outcome: health.Done, Snapshot: "abc"}
		},
		Log: daemon.Log{Started: func(daemon.Job, schedule.Why) {}, Ended: func(*history.Run) {}, Warn: func(text string) { p.t.Error(text) }},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	do(d)
}

// serve lets a daemon live for a time.
func (p *process) serve(all []daemon.Job, life time.Duration) {
	p.with(all, func(d *daemon.Daemon) {
		ctx, cancel := context.WithTimeout(p.t.Context(), life)
		defer cancel()
		d.Serve(ctx, p.hangup)
	})
}

func bubble(t *testing.T, run func(t *testing.T, p *process)) {
	path := filepath.Join(t.TempDir(), "history.db")
	synctest.Test(t, func(t *testing.T) { run(t, &process{t: t, path: path, hangup: make(chan struct{})}) })
}

const daily = "sets:\n  s: {sources: [f], schedule: '@daily', time_zone: UTC, retention: {keep_last: 3}}\n"

func TestADaemonRunsEachDayAndAppliesRetentionAfterwards(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.serve(jobs(t, daily+"jobs: {prune: {schedule: '@weekly', time_zone: UTC}}\n"), 72*time.Hour+time.Minute)
		counts := map[string]int{}
		for _, name := range p.ran {
			counts[name]++
		}
		if counts["backup s"] != 4 || counts["forget s"] != 4 || counts["prune"] != 2 { // the first at once; it begins on a Saturday
			t.Errorf("ran %v", p.ran)
		}
	})
}

func TestAStopLeavesTheJobToTheNextProcess(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.took = time.Hour
		p.serve(jobs(t, daily), time.Minute) // is stopped at work
		p.took = time.Second
		p.serve(jobs(t, daily), time.Minute)
		p.serve(jobs(t, daily), time.Minute)
		if want := "backup s, backup s, forget s"; strings.Join(p.ran, ", ") != want {
			t.Errorf("ran %v, want %s", p.ran, want)
		}
	})
}

func TestSleepIsCaughtUpWithOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.serve(jobs(t, daily), time.Minute)
		p.ran, p.offset = nil, 5*24*time.Hour
		p.serve(jobs(t, daily), time.Hour)
		if want := "backup s, forget s"; strings.Join(p.ran, ", ") != want {
			t.Errorf("ran %v, want %s", p.ran, want)
		}
	})
}

func TestAFailureHasNoRetentionAfterItAndIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.result = func(daemon.Job) daemon.Result {
			return daemon.Result{Outcome: health.Broken, Cause: "no route", Code: 8}
		}
		p.serve(jobs(t, strings.Replace(daily, "time_zone", "retry_for: 10m, time_zone", 1)), 30*time.Minute)
		if want := slices.Repeat([]string{"backup s"}, 5); !slices.Equal(p.ran, want) { // at 0, 37, 112, 262 and 562 s
			t.Errorf("ran %v, want %v", p.ran, want)
		}
	})
}

func TestAPanicIsAFailureOfItsJobAlone(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.result = func(j daemon.Job) daemon.Result {
			if j.Set == "a" {
				panic("nil")
			}
			return daemon.Result{Outcome: health.Done}
		}
		p.with(jobs(t, "sets:\n  a: {sources: [f], schedule: '@daily'}\n  b: {sources: [f], schedule: '@daily'}\n"), func(d *daemon.Daemon) {
			runs := d.Once(t.Context())
			if len(runs) != 2 || runs[0].Outcome != health.Broken || !strings.Contains(runs[0].Cause, "nil") || runs[1].Outcome != health.Done {
				t.Errorf("runs %+v", runs)
			}
		})
	})
}

func TestOnceDoesWhatIsDueAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		for i, want := range []int{2, 0} {
			p.with(jobs(t, daily), func(d *daemon.Daemon) {
				if runs := d.Once(t.Context()); len(runs) != want {
					t.Errorf("time %d: %d runs, want %d", i, len(runs), want)
				}
			})
		}
	})
}

func TestSettingsAreReadAgainWhileAJobRuns(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.took = time.Hour
		var good atomic.Bool
		p.reload = func() ([]daemon.Job, bool) {
			return jobs(t, "sets:\n  t: {sources: [f], schedule: '@hourly', time_zone: UTC}\n"), good.Load()
		}
		go func() {
			time.Sleep(time.Minute)
			p.hangup <- struct{}{} // the new settings are wrong
			time.Sleep(time.Minute)
			good.Store(true)
			p.hangup <- struct{}{}
		}()
		p.serve(jobs(t, daily), 150*time.Minute)
		if want := []string{"backup s", "forget s", "backup t"}; !slices.Equal(p.ran, want) {
			t.Errorf("ran %v, want %v", p.ran, want)
		}
	})
}

func TestADaemonIsAliveWhileItWaitsAndWorks(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		p.took = 3 * time.Hour
		p.with(jobs(t, daily), func(d *daemon.Daemon) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Hour)
			defer cancel()
			go d.Serve(ctx, nil)
			for ctx.Err() == nil {
				time.Sleep(10 * time.Minute)
				if ctx.Err() == nil && !d.Alive() {
					t.Errorf("not alive at %s", time.Now())
				}
			}
			synctest.Wait()
			time.Sleep(time.Hour)
			if d.Alive() {
				t.Error("alive after its end")
			}
		})
	})
}

func TestHowSetsAreIsWhatTheirRunsSay(t *testing.T) {
	bubble(t, func(t *testing.T, p *process) {
		c := settings(t, "sets:\n  late: {sources: [f], schedule: '@daily', max_age: 26h}\n  fails: {sources: [f], schedule: '@daily'}\n  manual: {sources: [f]}\n")
		all, err := daemon.Jobs(c, "host", false)
		if err != nil {
			t.Fatal(err)
		}
		p.result = func(j daemon.Job) daemon.Result {
			if j.Set == "fails" {
				return daemon.Result{Outcome: health.Broken, Cause: "no route"}
			}
			return daemon.Result{Outcome: health.Done, Snapshot: "abc"}
		}
		p.with(all, func(d *daemon.Daemon) {
			d.Once(t.Context())
			for after, want := range map[time.Duration]string{time.Hour: "fails failed, late protected", 27 * time.Hour: "fails failed, late late"} {
				sets, err := daemon.Sets(c, "host", d.History, p.now().Add(after))
				var got []string
				for _, s := range sets {
					got = append(got, fmt.Sprint(s.Name, " ", s.State))
				}
				if err != nil || strings.Join(got, ", ") != want {
					t.Errorf("after %s: %v, %v, want %s", after, got, err, want)
				}
			}
		})
	})
}

func TestARetentionWithoutAKeyIsTold(t *testing.T) {
	c := settings(t, daily)
	if names := daemon.Unkept(c, false); !slices.Equal(names, []string{"s"}) || len(daemon.Unkept(c, true)) > 0 {
		t.Errorf("unkept: %v", names)
	}
	all, err := daemon.Jobs(c, "host", false)
	if err != nil || len(all) != 1 || len(all[0].Then) > 0 {
		t.Errorf("jobs %+v, %v", all, err)
	}
}

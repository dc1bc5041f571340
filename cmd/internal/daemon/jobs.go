// Package daemon does by itself what is due: it decides with package schedule, runs one job at a
// time, writes down what became of it, and tells how each set is. What a job does its caller says;
// nothing here knows the flows.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// Job is something that is done by itself.
type Job struct {
	schedule.Job        // its name, and when it is due
	Kind         string // backup, forget, prune, check, copy, drill or keep
	Set          string // of a backup, a retention or a drill; of all sets ""
	Then         []Job  // what follows a run that was done; they have no time of their own
}

// Timings are the names of jobs, and when each is due.
func Timings(jobs []Job) []schedule.Job {
	all := make([]schedule.Job, len(jobs))
	for i, j := range jobs {
		all[i] = j.Job
	}
	return all
}

// Resizes tells whether the job changes how large repositories are.
func (j Job) Resizes() bool { return j.Kind == Backup || j.Kind == Copy || j.Kind == Prune }

// Adds tells whether the job adds snapshots.
func (j Job) Adds() bool { return j.Kind == Backup || j.Kind == Copy }

// The kinds of jobs.
const (
	Backup = history.Backup
	Forget = "forget"
	Prune  = "prune"
	Check  = history.Check
	Copy   = "copy"
	Drill  = history.Drill
	Keep   = "keep"
)

// yields is for how long what is no backup lets backups go first.
const yields = time.Hour

// Jobs are those of settings on a host. Backups come first. Where mayForget says that there is a
// key for it, the retention of a set follows its backup, unless there is a job for it.
func Jobs(c *config.Config, host string, mayForget bool) (jobs []Job, err error) {
	for _, name := range c.SetNames() {
		set := c.Sets[name]
		if !set.Scheduled() {
			continue
		}
		j := Job{Job: schedule.Job{Name: Backup + " " + name}, Kind: Backup, Set: name}
		if mayForget && set.Retention.Given() && !c.Jobs.Forget.Scheduled() {
			j.Then = []Job{{Job: schedule.Job{Name: Forget + " " + name}, Kind: Forget, Set: name}}
		}
		if j.Timing, err = set.For(host, j.Name); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
		jobs = append(jobs, j)
	}
	for _, other := range []struct {
		kind, set string
		timing    config.Timing
	}{{Forget, "", c.Jobs.Forget.Timing}, {Copy, "", c.Jobs.Copy.Timing}, {Check, "", c.Jobs.Check.Timing}, {Drill, c.Jobs.Drill.Set, c.Jobs.Drill.Timing},
		{Prune, "", c.Jobs.Prune.Timing}, {Keep, "", c.Jobs.Keep.Timing}} {
		if !other.timing.Scheduled() {
			continue
		}
		j := Job{Job: schedule.Job{Name: strings.TrimSpace(other.kind + " " + other.set), Yields: yields}, Kind: other.kind, Set: other.set}
		if j.Timing, err = other.timing.For(host, j.Name); err != nil {
			return nil, fmt.Errorf("job %s: %w", other.kind, err)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// Each does a job for each of several repositories, "" being the only one, which has no name. One
// that fails keeps no other from its turn; an interruption does.
func Each(ctx context.Context, names []string, do func(name string) error) error {
	var failed []error
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		err := do(name)
		if err != nil && name != "" {
			err = fmt.Errorf("repository %s: %w", name, err)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// Unkept are sets whose retention nobody applies here although there is one, since there is no key
// for it.
func Unkept(c *config.Config, mayForget bool) (names []string) {
	for _, name := range c.SetNames() {
		if set := c.Sets[name]; !mayForget && set.Scheduled() && set.Retention.Given() {
			names = append(names, name)
		}
	}
	return names
}

// Scheduled are the names of the sets that are backed up here by themselves. Of others nobody here
// knows when they were.
func Scheduled(c *config.Config) []string {
	return slices.DeleteFunc(c.SetNames(), func(name string) bool { return !c.Sets[name].Scheduled() })
}

// Sets are the sets of settings that somebody counts on, as their runs on this host say how they
// are. f may be nil: nothing is known then.
func Sets(c *config.Config, host string, f *history.File, now time.Time) (sets []health.Set, err error) {
	for _, name := range c.SetNames() {
		drilled := c.Jobs.Drill.Scheduled() && c.Jobs.Drill.Set == name
		if !c.Sets[name].Watched() && !drilled {
			continue
		}
		s := health.Set{Name: name, Host: host, MaxAge: c.Sets[name].Bound(), DrillOnly: !c.Sets[name].Watched()}
		if f != nil {
			if err := f.AddFacts(&s); err != nil {
				return nil, err
			}
		}
		sets = append(sets, health.Judge(s, now))
	}
	return sets, nil
}

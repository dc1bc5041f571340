package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/memo"
)

// ReporterOptions say what a Reporter works with. All are required.
type ReporterOptions struct {
	Path    string // of the file that remembers what was written
	History *history.File
	// Write writes the outcome of a run into a repository, which has this name in the settings; the
	// host it adds itself. It fails with catalog.ErrNoWriter where there is no key to write with.
	Write func(ctx context.Context, repository string, o catalog.RunOutcome) error
	// Address returns the address of a repository for people, without secrets.
	Address func(repository string) string
	Warn    func(text string)
	Say     func(format string, args ...any)
}

// Reporter writes into the repositories what no snapshot tells of jobs: that they failed, and are
// done again. So other hosts see it. It is for one goroutine.
type Reporter struct {
	ReporterOptions
	told map[string]Reported  // by repository and job
	gone map[string]time.Time // when a repository could not be told last
}

// NewReporter remembers what was written, as far as the file says.
func NewReporter(o ReporterOptions) *Reporter {
	r := &Reporter{ReporterOptions: o, told: map[string]Reported{}, gone: map[string]time.Time{}}
	if err := memo.Recall(o.Path, &r.told); err != nil {
		o.Warn(fmt.Sprintf("cannot read which failed jobs the repositories know of, so they are recorded again: %v", err))
	}
	return r
}

func (r *Reporter) remember() {
	if err := memo.Remember(r.Path, r.told); err != nil {
		r.Warn(fmt.Sprintf("cannot remember which failed jobs the repositories know of: %v", err))
	}
}

// reportTime bounds how long a repository is waited for that is to be told of a run: what failed
// may be just this repository.
const reportTime = 30 * time.Second

// Report tells the repositories of the settings of runs that failed, and of what is done again.
// What fails here fails nothing else, and is tried again later.
func (r *Reporter) Report(ctx context.Context, c *config.Config, repositories []string, jobs []Job, now time.Time) {
	for _, j := range jobs {
		r.report(ctx, c, repositories, j, now)
		r.Report(ctx, c, repositories, j.Then, now)
	}
}

func (r *Reporter) report(ctx context.Context, c *config.Config, repositories []string, j Job, now time.Time) {
	last, err := r.History.Row(j.Kind, j.Set)
	if err != nil {
		r.Warn(err.Error())
		return
	}
	set := c.Sets[j.Set]
	for _, name := range repositories {
		key := name + " " + j.Name
		told := r.told[key]
		if !set.GoesTo(name) || ctx.Err() != nil {
			continue
		}
		if told.Over(last) {
			delete(r.told, key)
			r.remember()
		}
		if !Report(last, told, now) || Rests(last, r.gone[name], now) {
			continue
		}
		if err := r.write(ctx, name, outcomeOf(j, set, last)); err != nil && !errors.Is(err, catalog.ErrNoWriter) { // who only prunes has no key to tell with
			r.Say("could not record in %s how %s ended; will try again: %v", r.Address(name), j.Name, err)
			r.gone[name] = now
			continue
		}
		r.told[key] = told.After(last, now)
		r.remember()
	}
}

func (r *Reporter) write(ctx context.Context, repository string, o catalog.RunOutcome) error {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	return r.Write(ctx, repository, o)
}

// outcomeOf returns what a repository is told of the last run of a job.
func outcomeOf(j Job, set config.Set, last *history.Row) catalog.RunOutcome {
	return catalog.RunOutcome{
		Job: j.Kind, Set: j.Set, Result: string(last.Outcome), Began: last.Start.UTC(), Seconds: last.Duration.Seconds(), Code: last.Code, Cause: last.Cause,
		Since: last.Since.UTC(), Failures: last.Failures, MaxAge: int64(set.Bound() / time.Second), Done: last.Outcome == health.Done,
	}
}

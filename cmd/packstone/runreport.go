package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
)

// reporter writes into the repositories what no snapshot tells of jobs: that they failed, and are
// done again. So other hosts see it.
type reporter struct {
	app  *app
	path string                     // of the file that remembers what was written
	told map[string]daemon.Reported // by repository and job
	gone map[string]time.Time       // when a repository could not be told last
}

// newReporter remembers what was written, as far as the file at path says.
func newReporter(a *app, path string) *reporter {
	r := &reporter{app: a, path: path, told: map[string]daemon.Reported{}, gone: map[string]time.Time{}}
	if err := recall(path, &r.told); err != nil {
		a.Warn(fmt.Sprintf("cannot read which failed jobs the repositories know of, so they are recorded again: %v", err))
	}
	return r
}

func (r *reporter) remember() {
	if err := remember(r.path, r.told); err != nil {
		r.app.Warn(fmt.Sprintf("cannot remember which failed jobs the repositories know of: %v", err))
	}
}

// reportTime bounds how long a repository is waited for that is to be told of a run: what failed
// may be just this repository.
const reportTime = 30 * time.Second

// report tells the repositories of runs that failed, and of what is done again. What fails here
// fails nothing else, and is tried again later.
func (s *service) report(ctx context.Context, jobs []daemon.Job, now time.Time) {
	for _, j := range jobs {
		s.reportJob(ctx, j, now)
		s.report(ctx, j.Then, now)
	}
}

func (s *service) reportJob(ctx context.Context, j daemon.Job, now time.Time) {
	last, err := s.history.Row(j.Kind, j.Set)
	if err != nil {
		s.Warn(err.Error())
		return
	}
	set := s.settings.Sets[j.Set]
	for _, name := range s.RepositoriesOf(s.settings) {
		key := name + " " + j.Name
		told := s.reporter.told[key]
		if !set.GoesTo(name) || ctx.Err() != nil {
			continue
		}
		if told.Over(last) {
			delete(s.reporter.told, key)
			s.reporter.remember()
		}
		if !daemon.Report(last, told, now) || daemon.Rests(last, s.reporter.gone[name], now) {
			continue
		}
		if err := s.write(ctx, name, j, last); err != nil && !errors.Is(err, catalog.ErrNoWriter) { // who only prunes has no key to tell with
			s.say("could not record in %s how %s ended; will try again: %v", s.addressOf(name), j.Name, err)
			s.reporter.gone[name] = now
			continue
		}
		s.reporter.told[key] = told.After(last, now)
		s.reporter.remember()
	}
}

// write tells a repository of the last run of a job.
func (s *service) write(ctx context.Context, repository string, j daemon.Job, last *history.Row) error {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	a := s.forJob(io.Discard, s.settings)
	defer a.patience.End()
	a.flags.Repository = repository
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MustWrite|machine.AnyIdentity)
	if err != nil {
		return err
	}
	host, err := a.Speak(repo, "")
	if err != nil {
		return err
	}
	return repo.Report(ctx, catalog.RunOutcome{
		Job: j.Kind, Set: j.Set, Host: host, Result: string(last.Outcome), Began: last.Start.UTC(), Seconds: last.Duration.Seconds(), Code: last.Code, Cause: last.Cause,
		Since: last.Since.UTC(), Failures: last.Failures, MaxAge: int64(s.settings.Sets[j.Set].Bound() / time.Second), Done: last.Outcome == health.Done,
	})
}

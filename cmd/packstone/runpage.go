package main

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/pipeline/browse"
)

// pageSource is what the page shows. The page asks from goroutines of its own, so it is told of
// settings that do not change.
func (s *service) pageSource() page.Source {
	known := s.pages.known.Load
	return page.Source{
		Host:         s.host,
		Version:      version().Version,
		Repositories: func() []string { return s.RepositoriesOf(known().settings) },
		Open:         s.openForPage,
		Facts:        func() metrics.Facts { return *s.teller.facts.Load() },
		Sets:         s.setsForPage,
		Runs:         s.runsForPage,
		Aside:        func() string { return s.forJob(io.Discard, known().settings).Aside() },
		Scratch:      s.pages.scratch,
		Work:         s.pages.daemon.Work,
		Live:         s.liveForPage,
		Start:        s.pages.daemon.Start,
		Stop:         s.pages.daemon.Stop,
		Say:          s.sayerOf(),
		Policies:     func() (map[string]retention.Policy, error) { return known().settings.Policies() },
	}
}

// openForPage opens a repository to read, by the settings of the daemon.
func (s *service) openForPage(ctx context.Context, name string, keys page.Keys) (*catalog.Repository, error) {
	a := s.forJob(io.Discard, s.pages.known.Load().settings)
	defer a.patience.End()
	a.flags.Repository, a.used = name, usesRepository|usesIdentity
	needed := machine.MayWrite | machine.EvenBroken
	switch {
	case keys.Lent != nil:
		a.Hold(keys.Lent)
		needed |= machine.MustRead
	case keys.Own:
		needed |= machine.MayRead | machine.AnyIdentity
	}
	repo, _, err := a.OpenRepository(ctx, needed)
	return repo, err
}

// setsForPage are the sets of all hosts, as far as is known; of those of this host the daemon knows
// most.
func (s *service) setsForPage(found *browse.Status) []health.Set {
	own := s.teller.facts.Load().Sets
	if found == nil {
		return own
	}
	known, now := s.pages.known.Load(), time.Now()
	sets := watchedSets(known.settings, known.host, found)
	for i, set := range sets {
		if j := slices.IndexFunc(own, func(o health.Set) bool { return o.Key() == set.Key() }); j >= 0 {
			sets[i] = own[j]
		} else {
			sets[i] = health.Judge(set, now)
		}
	}
	return sets
}

// runsForPage reads the last runs of jobs.
func (s *service) runsForPage(n int) ([]history.Run, error) {
	f, err := history.Read(s.HistoryPath(s.path))
	if err != nil || f == nil {
		return nil, err
	}
	defer f.Close()
	return f.Runs(n)
}

// liveForPage is what the job at work has done so far.
func (s *service) liveForPage() page.Live {
	if log := s.atWork.Load(); log != nil {
		return log.live()
	}
	return page.Live{}
}

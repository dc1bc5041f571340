package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/status"
	"github.com/packstone/packstone/pipeline/browse"
)

// shown is what the page shows of the settings, whose owner is another goroutine.
type shown struct {
	settings *config.Config
	host     string
}

// newServer serves at the address of a flag, if that is not "". Nobody can see it yet.
func (s *service) newServer(address string) *page.Server {
	return &page.Server{Address: address, Source: s.pageSource, Say: s.say, Metrics: metrics.Handler(metrics.Source{
		Facts:   func(context.Context) metrics.Facts { return *s.facts.Load() },
		Version: version().Version,
		Ready: func() error {
			if !s.daemon.Alive() {
				return errors.New("the job loop is stuck")
			}
			return nil
		},
	})}
}

// show serves at the address of the settings as they are now. After an error what was served goes
// on to be.
func (s *service) show() error {
	return s.server.Show(s.life, s.settings.Serve, func() { s.known.Store(&shown{s.settings, s.host}) })
}

// pageSource is what the page shows. The page asks from goroutines of its own, so it is told of
// settings that do not change.
func (s *service) pageSource() page.Source {
	known := s.known.Load
	return page.Source{
		Host:         s.host,
		Version:      version().Version,
		Repositories: func() []string { return s.RepositoriesOf(known().settings) },
		Open:         s.openForPage,
		Facts:        func() metrics.Facts { return *s.facts.Load() },
		Sets:         s.setsForPage,
		Runs:         s.runsForPage,
		Aside:        func() string { return s.forJob(io.Discard, known().settings).Aside() },
		Scratch:      s.scratch,
		Work:         s.daemon.Work,
		Live:         func() daemon.Live { return s.atWork.Load().Live() },
		Start:        s.daemon.Start,
		Stop:         s.daemon.Stop,
		Say:          s.sayerOf(),
		Policies:     func() (map[string]retention.Policy, error) { return known().settings.Policies() },
	}
}

// openForPage opens a repository to read, by the settings of the daemon.
func (s *service) openForPage(ctx context.Context, name string, keys page.Keys) (*catalog.Repository, error) {
	a := s.forRepository(name, s.known.Load().settings)
	defer a.patience.End()
	a.used = usesRepository | usesIdentity
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
	own := s.facts.Load().Sets
	if found == nil {
		return own
	}
	known, now := s.known.Load(), time.Now()
	sets := status.Sets(known.settings, known.host, found)
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

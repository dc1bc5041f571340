package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/room"
	"github.com/packstone/packstone/cmd/internal/status"
	"github.com/packstone/packstone/pipeline/browse"
)

// shown is what the page shows of the settings, whose owner is another goroutine.
type shown struct {
	settings *config.Config
	host     string
}

// newServer serves at the address of a flag, if that is not "". Nobody can see it yet.
func (s *Service) newServer(address string) *page.Server {
	return &page.Server{Address: address, Source: s.pageSource, Say: s.say, Metrics: metrics.Handler(metrics.Source{
		Facts:   func(context.Context) metrics.Facts { return *s.facts.Load() },
		Version: s.Version,
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
func (s *Service) show() error {
	return s.server.Show(s.life, s.settings.Serve, func() { s.known.Store(&shown{s.settings, s.host}) })
}

// pageSource is what the page shows. The page asks from goroutines of its own, so it is told of
// settings that do not change.
func (s *Service) pageSource() page.Source {
	known := s.known.Load
	return page.Source{
		Host:         s.host,
		Version:      s.Version,
		Repositories: func() []string { return s.Machine.RepositoriesOf(known().settings) },
		Open:         s.openForPage,
		Facts:        func() metrics.Facts { return *s.facts.Load() },
		Sets:         s.setsForPage,
		Runs:         s.runsForPage,
		Aside: func() string {
			m, end := s.At("", known().settings, true)
			defer end()
			return m.Aside()
		},
		Scratch:  s.scratch,
		Work:     s.daemon.Work,
		Live:     func() daemon.Live { return s.atWork.Load().Live() },
		Start:    s.daemon.Start,
		Stop:     s.daemon.Stop,
		Say:      s.sayer(),
		Policies: func() (map[string]retention.Policy, error) { return known().settings.Policies() },
	}
}

// openForPage opens a repository to read, by the settings of the service.
func (s *Service) openForPage(ctx context.Context, name string, keys page.Keys) (*catalog.Repository, error) {
	m, end := s.At(name, s.known.Load().settings, true)
	defer end()
	needed := machine.MayWrite | machine.EvenBroken
	switch {
	case keys.Lent != nil:
		m.Hold(keys.Lent)
		needed |= machine.MustRead
	case keys.Own:
		needed |= machine.MayRead | machine.AnyIdentity
	}
	repo, _, err := m.OpenRepository(ctx, needed)
	return repo, err
}

// setsForPage are the sets of all hosts, as far as is known; of those of this host the service knows
// most.
func (s *Service) setsForPage(found *browse.Status) []health.Set {
	own := s.facts.Load().Sets
	if found == nil {
		return own
	}
	known := s.known.Load()
	return merged(status.Sets(known.settings, known.host, found), own, time.Now())
}

// merged are sets, each as own has it if it is among those, else judged by what is known of it.
func merged(sets, own []health.Set, now time.Time) []health.Set {
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
func (s *Service) runsForPage(n int) ([]history.Run, error) {
	f, err := history.Read(s.Machine.HistoryPath(s.path))
	if err != nil || f == nil {
		return nil, err
	}
	defer f.Close()
	return f.Runs(n)
}

// newScratch restores into scratch places for the page, below the directory that the settings name
// at the time.
func (s *Service) newScratch() *page.Scratch {
	return &page.Scratch{
		Directory: func() string { return s.shownSettings().Serve.Scratch },
		Restore: func(ctx context.Context, w page.Wanted, follow func(func() daemon.Live)) (page.Restored, error) {
			return s.Restore(ctx, s.shownSettings(), w, follow)
		},
		GiveBack: room.DropDatabase, Free: doctor.FreeIn, Now: time.Now, Say: s.sayer(),
	}
}

// shownSettings are those that the page shows, or will show first.
func (s *Service) shownSettings() *config.Config {
	if known := s.known.Load(); known != nil {
		return known.settings
	}
	return s.settings
}

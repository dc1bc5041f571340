package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/memo"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/plan"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

// remembering opens what the service remembers beside its history, in files of the same name.
func (s *Service) remembering() {
	beside := func(what string) string {
		return strings.TrimSuffix(s.Machine.HistoryPath(s.path), ".db") + "-" + what + ".json"
	}
	memo.Tidy(s.Machine.StateRoot(), time.Now())
	s.teller = notice.NewTeller(beside("told"), s.warn)
	s.reporter = daemon.NewReporter(daemon.ReporterOptions{
		Path: beside("reported"), History: s.history, Write: s.record, Address: s.addressOf, Warn: s.warn, Say: s.say,
	})
	var err error
	if s.sizes, err = metrics.OpenSizes(beside("sizes")); err != nil {
		s.warn(fmt.Sprintf("cannot read the earlier sizes of repositories, so their growth starts anew: %v", err))
	}
	if s.counts, err = metrics.OpenCounts(beside("counts")); err != nil {
		s.warn(fmt.Sprintf("cannot read how many snapshots there were, so the metrics lack it until the next backups: %v", err))
	}
	if s.drills, err = metrics.OpenDrills(beside("drills")); err != nil {
		s.warn(fmt.Sprintf("cannot read what the last drills have measured, so the metrics lack it until the next ones: %v", err))
	}
}

// remember notes what a drill has measured.
func (s *Service) remember(set string, measured metrics.Drilled) {
	if err := s.drills.Add(set, measured); err != nil {
		s.warn(fmt.Sprintf("cannot remember what a drill has measured: %v", err))
	}
}

// changed finds out how the sets are, and has it told, shown and written into the repository.
func (s *Service) changed(ctx context.Context) {
	now := s.daemon.Now()
	sets, ok := s.daemon.Look(s.settings, s.host, now)
	if !ok {
		return
	}
	for i := range sets {
		s.drills.Fill(&sets[i])
		s.counts.Fill(&sets[i], s.whereTo(s.settings, sets[i].Name))
	}
	facts := s.factsOf(sets, now)
	s.facts.Store(facts)
	s.teller.Update(s.Sender(s.settings), sets, now)
	if file := s.settings.Metrics.TextFile; file != "" {
		if err := metrics.WriteFile(file, *facts, s.Version); err != nil {
			s.warn(err.Error())
		}
	}
	s.reporter.Report(ctx, s.settings, s.Machine.RepositoriesOf(s.settings), s.daemon.Jobs, now)
}

// whereTo are the repositories that a set goes to by settings.
func (s *Service) whereTo(settings *config.Config, set string) []string {
	goes := settings.Sets[set]
	return slices.DeleteFunc(s.Machine.RepositoriesOf(settings), func(name string) bool { return !goes.GoesTo(name) })
}

func (s *Service) factsOf(sets []health.Set, now time.Time) *metrics.Facts {
	var measured []daemon.Measured
	for _, name := range s.Machine.RepositoriesOf(s.settings) {
		measured = append(measured, daemon.Measured{Name: s.addressOf(name), Sizes: s.sizes.Of(name)})
	}
	facts, err := daemon.Facts(s.history, s.host, sets, measured, now)
	if err != nil {
		s.warn(err.Error())
	}
	return facts
}

// addressOf is a repository's address, in which no secrets stand; "" is the name of the only one.
func (s *Service) addressOf(name string) string {
	m, end := s.At(name, s.settings, false)
	defer end()
	if at, err := m.Repository(); err == nil {
		return at.String()
	}
	return name
}

// record writes the outcome of a run into a repository.
func (s *Service) record(ctx context.Context, repository string, o catalog.RunOutcome) error {
	m, end := s.At(repository, s.settings, false)
	defer end()
	repo, _, err := m.OpenRepository(ctx, machine.MayRead|machine.MustWrite|machine.AnyIdentity)
	if err != nil {
		return err
	}
	if o.Host, err = m.Speak(repo, ""); err != nil {
		return err
	}
	return repo.Report(ctx, o)
}

// measureTime is for how long it is looked at most how large a repository is.
const measureTime = time.Minute

// measure looks how large the repositories are that a job has changed, unless that was done lately.
// What fails here fails nothing else.
func (s *Service) measure(ctx context.Context, j daemon.Job) {
	settings := s.running
	for _, name := range s.whereTo(settings, j.Set) {
		if s.sizes.Known(name, time.Now()) || ctx.Err() != nil {
			continue
		}
		size, known, err := s.sizeOf(ctx, name, settings)
		if err == nil && known {
			err = s.sizes.Add(name, size)
		}
		if err != nil && ctx.Err() == nil {
			s.say("could not measure the size of %s for the metrics: %v", s.addressOf(name), err)
		}
	}
}

// count counts the snapshots of this host's sets where a job may have changed them. What fails here
// fails nothing else: the metrics tell what was known before.
func (s *Service) count(ctx context.Context, j daemon.Job) {
	settings := s.running
	for _, name := range s.whereTo(settings, j.Set) {
		if ctx.Err() != nil {
			return
		}
		counted, err := s.countIn(ctx, name, settings)
		if err == nil {
			err = s.counts.Replace(name, counted)
		}
		if err != nil && ctx.Err() == nil {
			s.say("could not count the snapshots in %s for the metrics: %v", s.addressOf(name), err)
		}
	}
}

// countIn counts the snapshots of this host's sets in a repository. It leaves out what the keys at
// hand do not tell.
func (s *Service) countIn(ctx context.Context, name string, settings *config.Config) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	m, end := s.At(name, settings, false)
	defer end()
	host, err := m.JobHost()
	if err != nil {
		return nil, err
	}
	repo, _, err := m.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.AnyIdentity|machine.EvenBroken)
	if err != nil {
		return nil, err
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	counted := map[string]int{}
	for _, set := range settings.SetNames() {
		if n, known := repo.CountOf(log, set, host); known {
			counted[set] = n
		}
	}
	return counted, nil
}

// sizeOf is how large a repository is; known is false where the keys at hand do not tell.
func (s *Service) sizeOf(ctx context.Context, name string, settings *config.Config) (size metrics.Size, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	m, end := s.At(name, settings, false)
	defer end()
	repo, _, err := m.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.AnyIdentity|machine.EvenBroken)
	if err != nil {
		return size, false, err
	}
	packs, bytes, known, err := browse.SizeOf(ctx, repo)
	return metrics.Size{At: time.Now().UTC(), Packs: int64(packs), Bytes: int64(bytes)}, known, err
}

// sweepDrills removes what drills have left that were killed, perhaps with the service itself: it
// holds what was restored.
func (s *Service) sweepDrills(ctx context.Context) {
	dirs, err := plan.DrillDirectories("", s.settings)
	if err != nil {
		return // the directory is somebody else's, and the first drill will say so
	}
	for _, dir := range dirs {
		removed, err := drill.Clean(ctx, dir, plan.ScratchDatabases())
		s.swept("a drill that was killed", removed, err)
	}
}

// sweepScratch removes what was being restored for the page when its process was killed.
func (s *Service) sweepScratch() {
	removed, err := s.scratch.Sweep()
	s.swept("a restore from the page that was killed", removed, err)
}

func (s *Service) swept(who string, removed []string, err error) {
	for _, place := range removed {
		s.say("removed what %s had left in %s", who, place)
	}
	if err != nil {
		s.warn(err.Error())
	}
}

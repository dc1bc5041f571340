package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/plan"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

// remembering opens what the service remembers beside its history, in files of the same name.
func (s *service) remembering() {
	beside := func(what string) string {
		return strings.TrimSuffix(s.HistoryPath(s.path), ".db") + "-" + what + ".json"
	}
	s.teller = notice.NewTeller(beside("told"), s.Warn)
	s.reporter = daemon.NewReporter(daemon.ReporterOptions{
		Path: beside("reported"), History: s.history, Write: s.record, Address: s.addressOf, Warn: s.Warn, Say: s.say,
	})
	var err error
	if s.sizes, err = metrics.OpenSizes(beside("sizes")); err != nil {
		s.Warn(fmt.Sprintf("cannot read the earlier sizes of repositories, so their growth starts anew: %v", err))
	}
	if s.drills, err = metrics.OpenDrills(beside("drills")); err != nil {
		s.Warn(fmt.Sprintf("cannot read what the last drills have measured, so the metrics lack it until the next ones: %v", err))
	}
}

// remember notes what a drill has measured.
func (s *service) remember(set string, measured metrics.Drilled) {
	if err := s.drills.Add(set, measured); err != nil {
		s.Warn(fmt.Sprintf("cannot remember what a drill has measured: %v", err))
	}
}

// changed finds out how the sets are, and has it told, shown and written into the repository.
func (s *service) changed(ctx context.Context) {
	d := s.daemon
	now := d.Now()
	sets, ok := d.Look(s.settings, s.host, now)
	if !ok {
		return
	}
	for i := range sets {
		s.drills.Fill(&sets[i])
	}
	facts := s.factsOf(sets, now)
	s.facts.Store(facts)
	s.teller.Update(s.sender(s.settings), sets, now)
	if file := s.settings.Metrics.TextFile; file != "" {
		if err := metrics.WriteFile(file, *facts, version().Version); err != nil {
			s.Warn(err.Error())
		}
	}
	s.reporter.Report(ctx, s.settings, s.RepositoriesOf(s.settings), d.Jobs, now)
}

func (s *service) factsOf(sets []health.Set, now time.Time) *metrics.Facts {
	var measured []daemon.Measured
	for _, name := range s.RepositoriesOf(s.settings) {
		measured = append(measured, daemon.Measured{Name: s.addressOf(name), Sizes: s.sizes.Of(name)})
	}
	facts, err := daemon.Facts(s.history, s.host, sets, measured, now)
	if err != nil {
		s.Warn(err.Error())
	}
	return facts
}

// forRepository is the program as forJob makes it, for a repository of the settings. It says
// nothing.
func (s *service) forRepository(name string, settings *config.Config) *app {
	a := s.forJob(io.Discard, settings)
	a.flags.Repository = name
	return a
}

// addressOf is a repository's address, in which no secrets stand; "" is the name of the only one.
func (s *service) addressOf(name string) string {
	if at, err := s.forRepository(name, s.settings).Repository(); err == nil {
		return at.String()
	}
	return name
}

// record writes the outcome of a run into a repository.
func (s *service) record(ctx context.Context, repository string, o catalog.RunOutcome) error {
	a := s.forRepository(repository, s.settings)
	defer a.patience.End()
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MustWrite|machine.AnyIdentity)
	if err != nil {
		return err
	}
	if o.Host, err = a.Speak(repo, ""); err != nil {
		return err
	}
	return repo.Report(ctx, o)
}

// measureTime is for how long it is looked at most how large a repository is.
const measureTime = time.Minute

// measure looks how large the repositories are that a job has changed, unless that was done lately.
// What fails here fails nothing else.
func (s *service) measure(ctx context.Context, j daemon.Job) {
	settings := s.running
	set := settings.Sets[j.Set]
	for _, name := range s.RepositoriesOf(settings) {
		if !set.GoesTo(name) || s.sizes.Known(name, time.Now()) || ctx.Err() != nil {
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

// sizeOf is how large a repository is; known is false where the keys at hand do not tell.
func (s *service) sizeOf(ctx context.Context, name string, settings *config.Config) (size metrics.Size, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	a := s.forRepository(name, settings)
	defer a.patience.End()
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.AnyIdentity|machine.EvenBroken)
	if err != nil {
		return size, false, err
	}
	packs, bytes, known, err := browse.SizeOf(ctx, repo)
	return metrics.Size{At: time.Now().UTC(), Packs: int64(packs), Bytes: int64(bytes)}, known, err
}

// ping tells who waits for pings that the backup of a set begins or has ended.
func (s *service) ping(set string, phase notice.Phase, tail string) {
	s.teller.Ping(s.sender(s.settings), set, phase, tail)
}

// pingEnd tells who waits for pings how the backup of a set ended. An interruption is no end: the
// run is done again.
func (s *service) pingEnd(run *history.Run) {
	switch {
	case run.Kind != daemon.Backup || run.Outcome == health.Interrupted:
	case run.Outcome == health.Done:
		s.ping(run.Name, notice.Success, run.Log)
	default:
		s.ping(run.Name, notice.Failure, strings.TrimSpace(run.Log+"\n"+run.Cause))
	}
}

// sweepDrills removes what drills have left that were killed, perhaps with the daemon itself: it
// holds what was restored.
func (s *service) sweepDrills(ctx context.Context) {
	dirs, err := plan.DrillDirectories("", s.settings)
	if err != nil {
		return // the directory is somebody else's, and the first drill will say so
	}
	for _, dir := range dirs {
		removed, err := drill.Clean(ctx, dir, plan.ScratchDatabases())
		for _, room := range removed {
			s.say("removed what a drill that was killed had left in %s", room)
		}
		if err != nil {
			s.Warn(err.Error())
		}
	}
}

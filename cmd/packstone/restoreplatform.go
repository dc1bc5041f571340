package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/platform"
	"github.com/packstone/packstone/pipeline/restore"
)

// platformOptions are the flags of the restore of a whole platform.
type platformOptions struct {
	places   []string      // as they were typed: SOURCE=PLACE
	maps     platform.Maps // the same
	undo     string
	noSafety bool
}

// Names of flags that refusals name.
const (
	mapFlag      = "map"
	undoFlag     = "undo"
	noSafetyFlag = "no-safety"
)

func (p *platformOptions) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&p.places, mapFlag, nil, "with --set and --at: restore a source to another place (`SOURCE=PLACE`, a path or a URL); may be repeated")
	flags.StringVar(&p.undo, undoFlag, "", "put back what was there before the restore of a platform of which this is the `report`")
	flags.BoolVar(&p.noSafety, noSafetyFlag, false, "of a whole platform: overwrite files without a snapshot of what was there")
}

// parse reads what was typed.
func (p *platformOptions) parse() (err error) {
	p.maps, err = platform.ParseMaps(p.places)
	return err
}

// wholePlatform tells whether all sources of a set are to come back together to a time.
func (a *app) wholePlatform(o *restoreOptions, args []string) bool {
	return len(args) == 0 && a.flags.set != "" && a.flags.at != "" && (o.where.InPlace || len(o.platform.maps) > 0)
}

// checkPlatform refuses what contradicts the restore of a whole platform.
func (a *app) checkPlatform(o *restoreOptions, args []string) error {
	if err := o.platform.parse(); err != nil {
		return err
	}
	p, whole := o.platform, a.wholePlatform(o, args)
	switch {
	case p.undo != "" && (len(args) > 0 || a.flags.at != "" || o.where.InPlace || len(p.maps) > 0 || o.where.Directory != "" || o.to.named()):
		return usage("--%s takes all that it needs from the report: name nothing else", undoFlag)
	case whole && !p.noSafety && !a.flags.VersionsAt.IsZero():
		return usage("what is overwritten is saved as a snapshot first, and with --versions-at nothing can be written: add --%s, or take the snapshots to another repository with copy --versions-at and restore from there", noSafetyFlag)
	case p.undo != "" && !a.flags.VersionsAt.IsZero():
		return usage("--%s takes back a restore from the repository as it is, without --versions-at", undoFlag)
	case p.undo == "" && !whole && (len(p.maps) > 0 || p.noSafety):
		return usage("--%s and --%s go with a whole platform: restore --set SET --at TIME --in-place", mapFlag, noSafetyFlag)
	case !whole && p.undo == "":
		return nil
	case o.including.named() || o.excluding.named():
		return usage("a whole platform comes back without patterns: restore single sources with --include and --exclude")
	case o.where.Directory != "" || len(o.where.Command) > 0 || o.to.named():
		return usage("name one place to restore to: --in-place and --%s, or --target, or --to", mapFlag)
	}
	return nil
}

// platformRun is one restore of a platform, or the undoing of one.
type platformRun struct {
	*restoring
	view    *view.View
	restore *platform.Restore
	missing uint64 // sources that cannot come back
}

// newPlatformRun finds the sources of a snapshot, and where they belong.
func (r *restoring) newPlatformRun(ctx context.Context, v *view.View, settings *config.Config, to platform.Maps) (_ *platformRun, err error) {
	p := &platformRun{restoring: r, view: v}
	for name, place := range to {
		if settings, err = settings.Moved(name, place); err != nil {
			return nil, err
		}
	}
	p.restore = &platform.Restore{Repo: r.repo, Snapshot: r.snapshot, Options: platform.Options{
		NoSafety: r.o.platform.noSafety, Delete: r.o.how.Delete, Tell: r.out.Note, Now: time.Now, Legs: r.legsOf,
	}}
	spot, err := r.from.In(r.snapshot)
	if err != nil {
		return nil, err
	}
	r.sources = spot.Sources
	for _, s := range r.sources {
		if err := p.add(ctx, settings, s); err != nil {
			return nil, err
		}
	}
	if len(p.restore.Sources) == 0 {
		return nil, exitWith(exitRefused, "nothing of snapshot %s has a place", r.snapshot.ShortID())
	}
	return p, p.safety()
}

// legsOf are ways back from a snapshot.
func (r *restoring) legsOf(of *catalog.Snapshot) *restore.Legs {
	legs := r.newLegs()
	legs.Snapshot, legs.Options.DryRun = of, false
	return legs
}

// add finds where a source belongs. The output of a command has no place, and is told.
func (p *platformRun) add(ctx context.Context, settings *config.Config, s *catalog.SourceState) error {
	back, err := p.to.PlaceOf(ctx, settings, s)
	if err != nil && s.Type == "command" {
		p.out.Problem("", "restore", err)
		p.missing++
		return nil
	}
	if err != nil {
		return err
	}
	one, err := p.to.Platform(settings, back, p.o.platform.maps, p.fill)
	p.way, p.restore.Sources = append(p.way, back), append(p.restore.Sources, one)
	return err
}

// safety is how what is overwritten is saved. Without this host's key that cannot be.
func (p *platformRun) safety() error {
	host, err := p.Speak(p.repo, p.flags.host)
	if err != nil && !p.o.platform.noSafety {
		return fmt.Errorf("what is overwritten is saved as a snapshot first, and that cannot be: %w; or agree with --%s that files are overwritten without a copy", err, noSafetyFlag)
	}
	p.restore.Safety = backup.Options{
		Host: host, User: machine.UserName(), Concurrency: p.flags.concurrency, Progress: new(pipeline.Progress), Advice: p.Warn,
		Problem: func(path string, err error) { p.out.Problem(path, "save", err) },
	}
	return nil
}

// restorePlatform brings a whole platform back.
func (r *restoring) restorePlatform(ctx context.Context, v *view.View, settings *config.Config) (err error) {
	maps := r.o.platform.maps
	if err := maps.Check(r.snapshot, r.o.where.InPlace); err != nil {
		return err
	}
	file, report, err := platform.Take(r.RestoreReports(), r.repo.Format.Repository, r.flags.set, r.flags.at, maps, r.dry(), r.Warn)
	if err != nil {
		return err
	}
	defer file.Close()
	if report != nil {
		if r.snapshot, err = v.WithID(report.Snapshot); err != nil {
			return err
		}
		r.to.Legs.Snapshot = r.snapshot
	}
	p, err := r.newPlatformRun(ctx, v, settings, maps)
	if err != nil {
		return err
	}
	if report == nil {
		report = platform.Begin(r.repo, r.snapshot, machine.Name(), r.flags.at, p.restore.Sources, time.Now())
		report.Maps = maps
		file.Name(r.RestoreReports(), report)
	} else {
		r.out.Note("an earlier run was cut off; this one goes on with what that left to do")
	}
	p.restore.Report, p.restore.File = report, file
	if err := p.restore.Check(machine.Name()); err != nil {
		return err
	}
	return p.goOn(ctx)
}

// goOn plans, asks, and restores.
func (p *platformRun) goOn(ctx context.Context) error {
	steps, err := p.restore.Plan(ctx)
	if err != nil {
		return cured(err)
	}
	plan := message.PlatformPlanOf(p.restore, steps)
	p.out.Message("platform_plan", plan, plan.Text())
	if p.dry() {
		return p.out.Err()
	}
	if err := p.agree("the platform is overwritten as listed above"); err != nil {
		return err
	}
	stop := p.out.Progress(meter.Of(&p.progress))
	err = p.restore.Run(ctx)
	stop()
	if err != nil {
		return cured(fmt.Errorf("%w; what is done so far stands in %s: run the same command again to go on, or put back what was there with restore --%s", err, p.restore.File.Path, undoFlag))
	}
	return p.finish(ctx)
}

// finish checks access, and tells what came back.
func (p *platformRun) finish(ctx context.Context) error {
	err := p.tellAccess(ctx)
	if report := p.restore.Report; p.o.checkAccess != "" {
		report.AccessUser, report.Denied = p.o.checkAccess, p.denied
		err = errors.Join(err, p.restore.File.Write(report))
	}
	p.tellReport()
	for _, part := range p.restore.Report.Sources {
		p.total.Failed += part.Failed
	}
	p.total.Failed += p.missing
	return errors.Join(err, p.outcome(), p.out.Err())
}

// agree asks whether to go on, unless --yes has said so.
func (p *platformRun) agree(what string) error {
	if p.o.yes {
		return nil
	}
	if !p.CanAsk() {
		return exitWith(exitRefused, "%s: agree with --yes", what)
	}
	return p.ask([]string{what})
}

// tellReport prints what was done, and how to go back.
func (p *platformRun) tellReport() {
	m := message.Platform{File: p.restore.File.Path, Report: p.restore.Report}
	p.out.Summary(m, m.Text())
	p.tellRequests(p.requests())
}

// undo refuses what contradicts --undo.
func (a *app) undo(ctx context.Context, o restoreOptions, args []string) error {
	if err := a.checkPlatform(&o, args); err != nil {
		return err
	}
	a.flags.dryRun = a.flags.dryRun || o.plan
	return a.undoPlatform(ctx, o)
}

// undoPlatform puts back what was there before a restore.
func (a *app) undoPlatform(ctx context.Context, o restoreOptions) error {
	path, err := filepath.Abs(o.platform.undo)
	if err != nil {
		return fmt.Errorf("find the report %s: %w", o.platform.undo, err)
	}
	file, report, err := platform.TakeFile(a.RestoreReports(), path, a.flags.dryRun)
	if err != nil {
		return err
	}
	defer file.Close()
	repo, storage, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite)
	if err != nil {
		return err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return err
	}
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	r := &restoring{app: a, repo: repo, requests: storage.Counts.Totals, o: o}
	if r.snapshot, err = v.WithID(report.Snapshot); err != nil {
		return err
	}
	r.to = r.newDestination()
	p, err := r.newPlatformRun(ctx, v, settings, report.Maps)
	if err != nil {
		return err
	}
	p.restore.Report, p.restore.File = report, file
	if err := p.restore.Check(machine.Name()); err != nil {
		return err
	}
	return p.undo(ctx)
}

// undo tells what comes back, asks, and does it.
func (p *platformRun) undo(ctx context.Context) error {
	report := p.restore.Report
	if report.State == platform.Undone {
		return catalog.Refuse("the report says that all is undone: there is nothing to put back")
	}
	var before *catalog.Snapshot
	if report.Safety != "" {
		var err error
		if before, err = p.view.WithID(report.Safety); err != nil {
			return err
		}
	}
	for _, line := range message.UndoPlan(report, before) {
		p.out.Note("%s", line)
	}
	if p.dry() {
		return p.out.Err()
	}
	if err := p.agree("what was there before comes back, in the place of what is there now"); err != nil {
		return err
	}
	if err := p.restore.Undo(ctx, before); err != nil {
		return fmt.Errorf("%w; run the same command again to go on", err)
	}
	p.tellReport()
	if lost := p.restore.Lost(); len(lost) > 0 {
		return exitWith(exitMissing, "files of %s were overwritten without a copy (--%s), and stay as they are", strings.Join(lost, ", "), noSafetyFlag)
	}
	return p.out.Err()
}

// hasAdHoc tells whether a snapshot is of paths, which no settings describe.
func hasAdHoc(s *catalog.Snapshot) bool {
	_, ok := s.Source(catalog.AdHoc)
	return ok
}

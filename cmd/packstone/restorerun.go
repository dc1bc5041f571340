package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/destination"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/thaw"
)

// restoring is one run of restore.
type restoring struct {
	*app
	repo     *catalog.Repository
	requests func() count.Totals
	snapshot *catalog.Snapshot
	from     catalog.Place
	sources  []*catalog.SourceState
	o        restoreOptions
	to       *destination.Destination
	way      []destination.Return // for --in-place
	doubts   []string             // why somebody should be asked
	progress pipeline.Progress
	total    restore.Result
	warned   atomic.Uint64
	lent     restore.Lent
	listed   output.ShortList // by --plan
	others   target.Strangers // to whom entries would belong by their number
	gate     thaw.Gate
	denied   uint64 // entries that the user of --check-access could not use
	inexact  uint64 // objects and values of databases that did not come back exactly
}

func (a *app) restore(ctx context.Context, o restoreOptions, args []string) error {
	from, err := a.restorePlace(&o, args)
	if err != nil {
		return err
	}
	if err := catalog.CheckName(from.Snapshot); err != nil {
		return err
	}
	if o.include, err = o.including.readAll(a.Done); err != nil {
		return err
	}
	if o.exclude, err = o.excluding.readAll(a.Done); err != nil {
		return err
	}
	whole, access := a.wholePlatform(&o, args), machine.MustRead
	if whole {
		access |= machine.MayWrite // for the copy of what is overwritten
	}
	r, v, err := a.newRestoring(ctx, o, from, access)
	if err != nil {
		return err
	}
	if whole && !hasAdHoc(r.snapshot) {
		settings, err := a.Settings()
		if err != nil {
			return err
		}
		if err := r.thawFirst(ctx); err != nil {
			return err
		}
		return r.tellFrozen(ctx, r.restorePlatform(ctx, v, settings))
	}
	return r.restore(ctx)
}

// newRestoring opens the repository, and finds the snapshot to restore.
func (a *app) newRestoring(ctx context.Context, o restoreOptions, from catalog.Place, access machine.Access) (*restoring, *view.View, error) {
	repo, storage, err := a.OpenRepository(ctx, access)
	if err != nil {
		return nil, nil, err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return nil, nil, err
	}
	filter := a.filterFor(from)
	if o.where.InPlace {
		if filter, err = a.filterHere(repo, from); err != nil {
			return nil, nil, err
		}
	}
	filter.Incomplete = o.incomplete
	snapshot, err := v.Pick(from.Snapshot, filter)
	if err != nil {
		return nil, nil, err
	}
	r := &restoring{app: a, repo: repo, requests: storage.Counts.Totals, snapshot: snapshot, from: from, o: o}
	r.to, r.gate = r.newDestination(), r.newGate(storage)
	return r, v, nil
}

// newDestination is where what comes back goes, as the flags ask for it.
func (r *restoring) newDestination() *destination.Destination {
	where, filling := r.o.where, r.o.filling
	where.Snapshot, where.Parallel = r.from.Snapshot, r.flags.concurrency
	where.Filling, where.Rows, where.Convert = filling.target(r.app), database.SourceOptions{Filter: filling.filter, Aside: r.Aside()}, filling.convert(nil)
	return &destination.Destination{
		Options: where,
		Machine: r.Machine, Bucket: r.bucketLogin(), Output: r.stdout, Stderr: r.stderr, Legs: r.newLegs(),
		Lacking: func(path string, err error) {
			r.warned.Add(1)
			r.out.Problem(path, "restore", err)
		},
		Inexact: func(source string, what database.Finding) {
			r.inexact++
			r.out.Warn(output.Warning{Message: what.String(), Item: output.Name(source)})
		},
	}
}

// newLegs are the ways of the sources of the snapshot back, as the flags ask for them.
func (r *restoring) newLegs() *restore.Legs {
	how := r.o.how
	how.Overwrite, how.DryRun, how.Parallel, how.Progress = overwrites[r.o.overwrite], r.dry(), r.flags.concurrency, &r.progress
	how.Plan, how.Lends = r.tell, r.lent.Note
	how.Problem = func(path string, err error) { r.out.Problem(path, "restore", err) }
	l := &restore.Legs{
		Repo: r.repo, Snapshot: r.snapshot, Fetch: r.fetchOptions(), OneFile: len(r.o.where.Command) > 0, Include: r.o.include, Exclude: r.o.exclude,
		Options: how, Doubt: r.Warn,
	}
	if l.OnServers = l.Options.Overwrite; r.o.overwrite == "" {
		l.OnServers = restore.OverwriteIfChanged
	}
	return l
}

// newGate keeps the restore from beginning before the storage has thawed what it needs.
func (r *restoring) newGate(storage *config.Storage) thaw.Gate {
	o := r.o.thaw
	return thaw.Gate{
		Storage: storage.Archiver(), Cold: store.Class(storage.Classes.Packs).NeedsThaw(), DryRun: r.dry(),
		Ask: o.ask, Wait: o.wait, How: store.Thaw{Days: o.days, Tier: tiers[o.tier]},
		Contents: func(ctx context.Context, put func([]archive.Chunk)) error {
			at, err := r.from.In(r.snapshot)
			if err != nil {
				return err
			}
			r.to.Legs.Path = at.Path
			return r.to.Legs.Contents(ctx, at.Sources, put)
		},
		Asked: func(packs int) {
			r.out.Note("asked the storage to thaw %s for %s, tier %s", output.Plural(packs, "pack"), output.Plural(o.days, "day"), o.tier)
		},
		Waiting: func(left thaw.Plan) {
			r.out.Note("waiting for the storage to thaw %s, %s", left, output.Bytes(left.Bytes))
		},
	}
}

// thawFirst makes sure, before anything is changed, that what comes back can be read.
func (r *restoring) thawFirst(ctx context.Context) error {
	err := r.gate.Pass(ctx)
	plan := r.gate.Plan
	switch {
	case errors.Is(err, thaw.ErrNoClasses):
		return usage("--thaw: %s has no storage classes, as only a bucket has that is read as it is now", r.repo.Store.Location())
	case errors.Is(err, thaw.ErrFrozen):
		return exitWith(exitArchived, "refused before anything was changed: %s", message.MustThaw(plan))
	case errors.Is(err, thaw.ErrThawing):
		return exitWith(exitArchived, "the storage is thawing %s, %s, which takes minutes to days: repeat this command when it is done; with --thaw-wait it waits for that",
			plan, output.Bytes(plan.Bytes))
	case err == nil && plan.Packs > 0 && r.dry():
		r.out.Note("%s", message.MustThaw(plan))
	}
	return err
}

// tellFrozen completes the error of a restore that has met an archived pack.
func (r *restoring) tellFrozen(ctx context.Context, err error) error {
	if err = r.gate.Explain(ctx, err); errors.Is(err, thaw.ErrFrozen) {
		return exitWith(exitArchived, "%s", message.MustThaw(r.gate.Plan))
	}
	return err
}

func (r *restoring) dry() bool { return r.flags.dryRun }

func (r *restoring) restore(ctx context.Context) error {
	if r.o.to.named() && r.o.where.Server == nil {
		return r.intoDatabase(ctx)
	}
	begun := time.Now()
	err := r.prepare(ctx)
	if err == nil {
		err = r.thawFirst(ctx)
	}
	if err == nil {
		err = r.run(ctx)
	}
	err = r.tellFrozen(ctx, err)
	if err := errors.Join(err, r.to.Legs.Close(ctx)); err != nil {
		return err
	}
	r.summarize(time.Since(begun))
	if err := r.tellAccess(ctx); err != nil {
		return err
	}
	return errors.Join(r.outcome(), r.out.Err())
}

// prepare finds what comes back and where to, and refuses what cannot before anything is changed.
func (r *restoring) prepare(ctx context.Context) error {
	at, err := r.from.In(r.snapshot)
	if err != nil {
		return err
	}
	r.sources, r.to.Legs.Path = at.Sources, at.Path
	if len(r.o.where.Command) > 0 && len(r.sources) > 1 {
		return usage("--to-command gives one file to a command: name it as SNAPSHOT:SOURCE/FILE")
	}
	for _, source := range r.sources {
		if r.o.where.Server != nil && r.to.IsDatabase(source) {
			return usage("%s is a database, and --to names a server of files: restore it with --target, or with --to and the URL of an empty database", source.Name)
		}
	}
	if r.o.where.InPlace {
		err = r.prepareInPlace(ctx)
	} else {
		err = r.to.Add(ctx, r.sources)
	}
	if err != nil {
		return err
	}
	return r.survey(ctx)
}

// prepareInPlace finds where each source belongs, and says so.
func (r *restoring) prepareInPlace(ctx context.Context) error {
	settings, err := r.Settings()
	if err != nil {
		return err
	}
	way, homeless, err := r.to.Places(ctx, settings, r.sources)
	if err != nil {
		return err
	}
	for _, back := range way {
		if o := r.o; back.Database != nil && (len(o.include)+len(o.exclude) > 0 || o.where.Owner != "" || o.where.Chmod != "") {
			return usage("%s is a database: --include, --exclude, --owner and --chmod cannot be used with it; name the other sources one by one", back.Source.Name)
		}
		now := ""
		if s := back.Source; s.Name != catalog.AdHoc {
			now = settings.Sources[s.Name].Location()
		}
		if text, elsewhere := message.BackTo(back.Source, now); elsewhere {
			r.warnOf(back.Source.Name, text)
		} else {
			r.out.Note("%s", text)
		}
	}
	for _, err := range homeless {
		r.out.Problem("", "restore", err)
		r.total.Failed++
	}
	r.way = way
	return r.to.AddPlaces(ctx, way)
}

// survey finds out what --delete would remove, and asks before it is much.
func (r *restoring) survey(ctx context.Context) (err error) {
	if !r.o.how.Delete || r.o.yes {
		return nil
	}
	if r.doubts, err = r.to.Legs.Survey(ctx); err != nil || len(r.doubts) == 0 || r.dry() {
		return err
	}
	if !r.CanAsk() {
		return r.doubtful()
	}
	return r.ask(r.doubts)
}

// ask lets a person decide.
func (r *restoring) ask(why []string) error {
	yes, err := r.Confirm(why)
	if err == nil && !yes {
		err = exitWith(exitRefused, "nothing was changed")
	}
	return err
}

// doubtful refuses what nobody has agreed to.
func (r *restoring) doubtful() error {
	return exitWith(exitRefused, "%s: see the list with --plan -v, agree with --yes", strings.Join(r.doubts, "; "))
}

func (r *restoring) run(ctx context.Context) error {
	r.tellLeftOut()
	if err := r.to.Refill(ctx, r.way, r.fill); err != nil {
		return err
	}
	defer r.out.Progress(meter.Of(&r.progress))()
	return r.to.Legs.Run(ctx, &r.total)
}

// outcome says how complete the restore is.
func (r *restoring) outcome() error {
	switch {
	case len(r.doubts) > 0 && r.dry() && !r.CanAsk():
		return r.doubtful()
	case r.total.Damaged > 0:
		return exitWith(exitIntegrity, "%s not restored, since their content is damaged (listed above)", output.Plural(r.total.Damaged, "file"))
	case r.total.Failed > 0 && len(r.o.where.Command) > 0:
		return exitWith(exitFailed, "the command failed to take the file: see above")
	case r.total.Failed > 0:
		return exitWith(exitMissing, "%s not restored (listed above)", output.Plural(r.total.Failed, "entry"))
	case r.inexact > 0:
		return exitWith(exitMissing, "%s not exact in SQLite (listed above)", output.Plural(r.inexact, "database object or value"))
	case len(r.o.include) > 0 && r.total == (restore.Result{}):
		return exitWith(exitFailed, "nothing in the snapshot matches --include: a pattern with a slash is matched with whole paths, from the source's root on")
	case r.warned.Load() > 0:
		return exitWith(exitMissing, "%s restored without all of their metadata (listed above)", output.Plural(r.warned.Load(), "entry"))
	case r.denied > 0:
		return exitWith(exitMissing, "%s could not use %s that came back", r.o.checkAccess, output.Plural(r.denied, "entry"))
	}
	return nil
}

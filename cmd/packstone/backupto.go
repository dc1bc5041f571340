package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/copy"
)

// goesTo are the repositories that the settings name for what is backed up; none where the command
// line or the environment name one. If it is only one, it is the one that is meant from then on.
func (a *app) goesTo(o backupOptions, args []string) ([]string, error) {
	if a.RepositoryIsNamed() || o.command || o.dashIndex >= 0 {
		return nil, nil
	}
	settings, err := a.Settings()
	if err != nil || len(settings.Repositories) == 0 {
		return nil, err
	}
	paths, names, err := settings.Divide(args)
	if err != nil || len(paths) > 0 {
		return nil, err
	}
	chosen, err := settings.Choose(names, a.flags.set)
	if len(chosen.To) == 1 {
		a.flags.Repository = chosen.To[0]
	}
	a.Set = chosen.Set
	return chosen.To, err
}

// reception is one of several repositories that a set goes to, and what became of it.
type reception struct {
	name     string
	repo     *catalog.Repository
	storage  *config.Storage
	snapshot *madeSnapshot // nil: it has none of this run
	err      error
}

// backupToEach backs up to several repositories, one after the other: each reads the sources and
// has a success of its own.
func (a *app) backupToEach(ctx context.Context, o backupOptions, args []string, to []string) (made *message.Backup, err error) {
	a.flags.Repository = to[0]
	first, err := a.planBackup(o, args)
	if err != nil {
		return nil, err
	}
	err = a.underHooks(ctx, first, func(ctx context.Context) error {
		var all []*reception
		var origin *catalog.Origin
		for _, name := range to {
			r := &reception{name: name}
			r.err = a.receive(ctx, r, o, args, origin)
			if all = append(all, r); ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if origin == nil && r.snapshot != nil && r.snapshot.summary.SnapshotID != "" {
				made = r.snapshot.told()
				origin = &catalog.Origin{Repository: r.repo.Format.Repository, Snapshot: r.snapshot.ID.String()}
			}
		}
		if !a.flags.dryRun {
			a.catchUpAll(ctx, all)
		}
		return a.outcomeOf(ctx, all)
	})
	return made, err
}

// receive backs up to one of several repositories. origin is the snapshot that another one has of
// this run; nil: none yet.
func (a *app) receive(ctx context.Context, r *reception, o backupOptions, args []string, origin *catalog.Origin) error {
	a.flags.Repository = r.name
	run, err := a.planBackup(o, args)
	if err != nil {
		return err
	}
	run.Origin = origin
	a.out.Note("repository %s:", r.name)
	if err := a.foundRepository(ctx, o); err != nil {
		return err
	}
	if r.repo, r.storage, err = a.OpenRepository(ctx, machine.MayRead|machine.MustWrite|machine.AnyIdentity); err != nil {
		return err
	}
	if run.Host, err = a.Speak(r.repo, a.flags.host); err != nil {
		return err
	}
	if !a.flags.dryRun {
		r.storage.KeepReserve(ctx)
	}
	r.snapshot, err = a.runBackup(ctx, r.repo, r.storage, run, o.counts(run.Progress))
	return err
}

// outcomeOf is how a backup to several repositories ends: as the only error where no repository has
// a snapshot, else with what is missing.
func (a *app) outcomeOf(ctx context.Context, all []*reception) error {
	var failed []string
	var first, damage, unfit error
	for _, r := range all {
		if r.err == nil {
			continue
		}
		if first == nil {
			first = r.err
		}
		switch exitCode(ctx, r.err) {
		case exitIntegrity:
			damage = cmp.Or(damage, r.err)
		case exitDrill:
			unfit = cmp.Or(unfit, r.err)
		}
		failed = append(failed, r.name)
		a.out.Problem("repository "+r.name, "backup", r.err)
	}
	switch kept := slices.ContainsFunc(all, func(r *reception) bool { return r.snapshot != nil }); {
	case first == nil:
		return nil
	case !kept:
		return first
	case damage != nil || unfit != nil:
		return cmp.Or(damage, unfit)
	}
	return exitWith(exitMissing, "of %d repositories, these lack a part of this run, for the reasons above: %s", len(all), strings.Join(failed, ", "))
}

// caughtUp is how far back a repository is brought what it has missed, by itself: as long as no
// usual retention forgets anything.
const caughtUp = 14 * 24 * time.Hour

// catchUpAll brings each repository the snapshots that it has missed while others had them. What
// goes wrong is noted in its reception.
func (a *app) catchUpAll(ctx context.Context, all []*reception) {
	for _, to := range all {
		for _, from := range all {
			if to == from || to.snapshot == nil || from.repo == nil || ctx.Err() != nil {
				continue
			}
			if err := a.catchUp(ctx, from, to); err != nil {
				to.err = errors.Join(to.err, fmt.Errorf("catch up from %s: %w", from.name, err))
			}
		}
	}
}

// catchUp copies what a repository has missed from another one.
func (a *app) catchUp(ctx context.Context, from, to *reception) error {
	log, err := to.repo.ReadLog(ctx)
	if err != nil {
		return err
	}
	theirs, err := from.repo.ReadLog(ctx)
	if err != nil {
		return err
	}
	missing, err := to.repo.Lacks(log, from.repo, theirs, to.snapshot.Set, to.snapshot.Host, time.Now().Add(-caughtUp))
	if err != nil || len(missing) == 0 {
		return err
	}
	if !from.repo.CanRead() {
		a.Warn(fmt.Sprintf("%s missing in %s: to copy from %s, an identity is needed. Run packstone copy --from %s -r %s",
			output.Plural(len(missing), "snapshot"), to.name, from.name, from.name, to.name))
		return nil
	}
	return a.copyMissing(ctx, from, to, missing)
}

// copyMissing copies snapshots of these ids.
func (a *app) copyMissing(ctx context.Context, from, to *reception, missing []archive.Name) error {
	write, err := a.writeOptions(0)
	if err != nil {
		return err
	}
	write.Uploads = to.storage.Uploads
	seen, err := view.Look(ctx, from.repo, view.Options{AcceptRollback: true, Warn: a.Warn, Note: a.Note})
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(seen.Snapshots), func(s *catalog.Snapshot) bool { return !slices.Contains(missing, s.ID) })
	chosen, err = a.leaveOld(to, from.name, chosen)
	if err != nil || len(chosen) == 0 {
		return err
	}
	a.out.Note("%s has missed %s, which %s has:", to.name, output.Plural(len(chosen), "snapshot"), from.name)
	c := copying{from: from.repo, to: to.repo, fromStorage: from.storage, toStorage: to.storage, seen: seen}
	m, err := a.copySnapshots(ctx, c, chosen, copy.Options{Fetch: a.fetchOptions(), Write: write})
	if m == nil {
		return err
	}
	return copyOutcome(m, err)
}

// leaveOld leaves out what a writer that may not date back cannot copy any more, and says so.
func (a *app) leaveOld(to *reception, from string, chosen []*catalog.Snapshot) ([]*catalog.Snapshot, error) {
	fresh, err := copy.Datable(to.repo, chosen)
	if old := len(chosen) - len(fresh); err == nil && old > 0 {
		a.Warn(fmt.Sprintf("%s that %s has missed are more than a day old, and this host's key may not backdate there: ask its owner to allow it "+
			"(packstone key writer bind NAME --role %s), or copy them with packstone copy --undated --from %s -r %s", output.Plural(old, "snapshot"), to.name, catalog.RoleBackdate, from, to.name))
	}
	return fresh, err
}

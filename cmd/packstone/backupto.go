package main

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/reception"
	"github.com/packstone/packstone/pipeline/copy"
)

// goesTo are the repositories that the settings name for what is backed up; none where the command
// line or the environment name one. If it is only one, it is the one that is meant from then on.
func (a *app) goesTo(o backupOptions, args []string) ([]string, error) {
	if a.RepositoryIsNamed() || o.command || o.dashIndex >= 0 {
		return nil, nil
	}
	to, set, err := a.planner().GoesTo(args)
	if len(to) == 1 {
		a.flags.Repository = to[0]
	}
	if set != "" {
		a.Set = set
	}
	return to, err
}

// backupToEach backs up to several repositories.
func (a *app) backupToEach(ctx context.Context, o backupOptions, args []string, to []string) (made *message.Backup, err error) {
	a.flags.Repository = to[0]
	first, err := a.planBackup(o, args)
	if err != nil {
		return nil, err
	}
	err = a.underHooks(ctx, first, func(ctx context.Context) error {
		several := reception.Several{
			Receive: func(ctx context.Context, r *reception.Reception, origin *catalog.Origin) error {
				a.flags.Repository = r.Name
				run, err := a.planBackup(o, args)
				if err != nil {
					return err
				}
				run.Origin = origin
				a.out.Note("repository %s:", r.Name)
				if err := a.foundRepository(ctx, o); err != nil {
					return err
				}
				if err := a.openFor(ctx, &run, machine.AnyIdentity, r); err != nil {
					return err
				}
				return a.runBackup(ctx, r, run, o)
			},
			Copy: a.copyMissing, DryRun: a.flags.dryRun, Warn: a.Warn, Problem: a.out.Problem, Code: func(err error) int { return exitCode(ctx, err) },
		}
		made, err = several.BackUp(ctx, to)
		return err
	})
	return made, err
}

// copyMissing copies snapshots of these ids.
func (a *app) copyMissing(ctx context.Context, from, to *reception.Reception, missing []archive.Name) error {
	write, err := a.writeOptions(0)
	if err != nil {
		return err
	}
	write.Uploads = to.Storage.Uploads
	seen, err := view.Look(ctx, from.Repo, view.Options{AcceptRollback: true, Warn: a.Warn, Note: a.Note})
	if err != nil {
		return err
	}
	all := copy.Only(seen.Snapshots, missing)
	chosen, err := copy.Datable(to.Repo, all)
	if old := len(all) - len(chosen); err == nil && old > 0 {
		a.Warn(fmt.Sprintf("%s that %s has missed are more than a day old, and this host's key may not backdate there: ask its owner to allow it "+
			"(packstone key writer bind NAME --role %s), or copy them with packstone copy --undated --from %s -r %s",
			output.Plural(old, "snapshot"), to.Name, catalog.RoleBackdate, from.Name, to.Name))
	}
	if err != nil || len(chosen) == 0 {
		return err
	}
	a.out.Note("%s has missed %s, which %s has:", to.Name, output.Plural(len(chosen), "snapshot"), from.Name)
	c := copying{from: from.Repo, to: to.Repo, fromStorage: from.Storage, toStorage: to.Storage, seen: seen}
	m, err := a.copySnapshots(ctx, c, chosen, copy.Options{Fetch: a.fetchOptions(), Write: write})
	if m == nil {
		return err
	}
	return copyOutcome(m, err)
}

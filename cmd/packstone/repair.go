package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/reception"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/check"
)

// fromSource and fromPacks are the words of --from that are no repository.
const (
	fromSource = "source"
	fromPacks  = "packs"
)

func newRepair(a *app) *cobra.Command {
	var from machine.From
	cmd := described("repair", nil)
	flags := cmd.Flags()
	flags.StringVar(&from.Repository, "from", "", "`where` good copies are: source, packs, or the address of a mirror or of a repository made by copy")
	flags.StringArrayVar(&from.Identities, "from-identity", nil, "age identity `file` that can read that repository (PACKSTONE_FROM_IDENTITY_FILE); may be repeated")
	flags.Var((*flagvalue.Owner)(&from.AcceptOwner), "from-accept-owner", "trust that repository only if its owner's key has this `fingerprint`")
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun|usesSelection|usesConcurrency, func(ctx context.Context, args []string) error {
		switch {
		case from.Repository == "":
			return usage("say with --from where good copies are: source, packs, or the address of a mirror or of a repository made by copy")
		case from.Repository == fromSource:
			return a.repairFromSource(ctx, args)
		case from.Repository == fromPacks && len(args) == 0:
			return a.repairIndex(ctx)
		case len(args) > 0:
			return usage("%s has no sources: repair --from source %s takes them from here", from.Repository, strings.Join(args, " "))
		}
		return a.repairFromOther(ctx, from)
	})
}

// repairFromSource stores again what damaged packs held and the sources still have.
func (a *app) repairFromSource(ctx context.Context, args []string) error {
	run, err := a.planBackup(backupOptions{Options: backup.Options{Force: true}, dashIndex: -1}, args)
	if err != nil {
		return err
	}
	repo, storage, err := a.OpenRepository(ctx, machine.MayRead|machine.MustWrite)
	if err != nil {
		return err
	}
	if run.Host, err = a.Speak(repo, a.flags.host); err != nil {
		return err
	}
	before, err := a.readAll(ctx, repo)
	if err != nil {
		return err
	}
	return a.mend(ctx, repo, before, func() error {
		run.Lost = before.Bad
		return a.underHooks(ctx, run, func(ctx context.Context) error {
			return a.runBackup(ctx, &reception.Reception{Repo: repo, Storage: storage}, run, backupOptions{})
		})
	})
}

// mend lets work make good what is wrong, and says what is left.
func (a *app) mend(ctx context.Context, repo *catalog.Repository, before *check.Report, work func() error) error {
	if len(before.Findings) == 0 || a.flags.dryRun {
		return a.reportRepair(before, before)
	}
	err := work()
	if code := exitCode(ctx, err); err != nil && code != exitMissing && code != exitDrill {
		return err
	}
	after, checkErr := a.readAll(ctx, repo)
	if checkErr != nil {
		return checkErr
	}
	return errors.Join(a.reportRepair(before, after), err)
}

// readAll reads the whole repository and says what is wrong.
func (a *app) readAll(ctx context.Context, repo *catalog.Repository) (*check.Report, error) {
	o := check.Options{ReadData: true, Lost: true, Parallel: a.flags.concurrency, Progress: new(pipeline.Progress), Seed: uint64(time.Now().UnixNano())}
	stop := a.out.Progress(meter.Of(o.Progress))
	defer stop()
	return check.Run(ctx, repo, o)
}

// repairFromOther takes what is damaged from other storage: whole objects from a mirror, and chunks
// from a repository of its own.
func (a *app) repairFromOther(ctx context.Context, from machine.From) error {
	other := a.Other(from)
	good, err := other.OpenStorage(ctx, false)
	if err != nil {
		return err
	}
	repo, storage, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide|machine.BypassCache)
	if err != nil {
		return err
	}
	switch mirror, err := isMirror(ctx, repo, good); {
	case err != nil:
		return err
	case !mirror:
		return a.repairFromCopy(ctx, repo, other)
	}
	before, err := a.readAll(ctx, repo)
	if err != nil {
		return err
	}
	before.Findings = slices.Concat(before.Findings, before.Healed)
	return a.mend(ctx, repo, before, func() error {
		return check.CopyAllBack(ctx, storage, good, before.Findings, func(object string, err error) { a.out.Problem(object, "repair", err) })
	})
}

// isMirror reports whether storage has the objects of a repository, as far as it tells, and is not
// another one. What tells it may be damaged or missing in a mirror.
func isMirror(ctx context.Context, repo *catalog.Repository, storage store.Store) (bool, error) {
	data, err := catalog.ReadFormat(ctx, storage)
	if errors.Is(err, catalog.ErrNoRepository) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	format, err := archive.ParseFormat(data)
	if errors.Is(err, archive.ErrDamaged) {
		return true, nil
	}
	return format.Repository == repo.Format.Repository, err
}

// reportRepair prints what was wrong before, and what still is.
func (a *app) reportRepair(before, after *check.Report) error {
	m := message.RepairOf(before, after, a.flags.dryRun)
	message.TellDamage(a.out, "repair", m.Left, a.flags.verbose > 0)
	err := a.out.Message("repair", m, m.Text())
	if len(m.Left) > 0 && !m.DryRun {
		return exitWith(exitIntegrity, "%s left (listed above)", output.Plural(len(m.Left), "problem"))
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/keep"
)

type keepOptions struct {
	mode   string
	growth flagvalue.Growth
	accept bool
	ask    bool
}

func newKeep(a *app) *cobra.Command {
	var o keepOptions
	cmd := &cobra.Command{
		Use:   "keep",
		Short: "Extend the locks of all that a restore needs.",
		Long: `Locks the objects of a bucket with Object Lock until the horizon: 30 days from now, unless the owner
has set another (packstone key policy). Run it every day: it extends what would end more than a
tenth of the horizon earlier. An interrupted run does no harm; the next one continues.

Packs that have grown by more than half (and 1 GiB) since the last run are told, and not extended.
Needs the key of a keeper, a collector or a host, or an identity, and credentials as packstone
doctor --print-policy keeper prints them. It ends with 3 if something was not extended, and with 5
if something was written over, deleted or is missing.`,
		Example: `  packstone keep
  packstone keep --dry-run -r s3://offsite/platform`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.mode, "mode", "", "how strict new locks are: governance or compliance (default: as the bucket's default)")
	flags.Var(&o.growth, "max-growth", "do not extend new packs of more than this `share` of those before, such as 50% or 200%")
	flags.BoolVar(&o.accept, "accept-growth", false, "extend new packs, however many there are")
	flags.BoolVar(&o.ask, "ask", false, "ask the storage for each lock, instead of relying on what the last run knew")
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun, func(ctx context.Context, _ []string) error { return a.keep(ctx, o) })
}

func (a *app) keepJob(ctx context.Context, _ daemon.Job, _ *daemon.Result) error {
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	if address, err := a.Repository(); err == nil && !address.IsBucket() && len(settings.Repositories) > 1 {
		return nil // another one is in a bucket
	}
	return a.keep(ctx, keepOptions{mode: settings.Jobs.Keep.Mode})
}

func (a *app) keep(ctx context.Context, o keepOptions) error {
	mode := store.LockMode(strings.ToUpper(o.mode))
	if mode != "" && mode != store.Governance && mode != store.Compliance {
		return usage("--mode %s: want governance or compliance", o.mode)
	}
	if o.accept && o.growth.Given {
		return usage("--accept-growth extends whatever there is, and --max-growth sets a bound: give one of them")
	}
	repo, storage, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide|machine.EvenBroken)
	if err != nil {
		return err
	}
	run, err := o.run(repo, storage)
	if err != nil {
		return err
	}
	run.Mode, run.DryRun = mode, a.flags.dryRun
	stop := a.out.Progress(meter.OfLocks(run.Progress))
	report, err := keep.Run(ctx, repo, run)
	stop()
	return a.reportKeep(report, err)
}

// run is how a run goes.
func (o keepOptions) run(repo *catalog.Repository, storage *config.Storage) (run keep.Options, err error) {
	run = keep.Options{Locker: storage.Locker(), AnyGrow: o.accept, Ask: o.ask, Progress: &keep.Progress{}}
	if run.Locker == nil {
		return run, catalog.Refuse("%s is no bucket: %w; keep a copy of the repository in a bucket with Object Lock", storage.Location(), keep.ErrUnlocked)
	}
	if o.growth.Given {
		run.Growth = max(o.growth.Percent/100, 1e-9)
	}
	run.Horizon, err = repo.Config.LockHorizon()
	return run, err
}

// reportKeep tells what was done, be it that not all was.
func (a *app) reportKeep(r *keep.Report, err error) error {
	switch {
	case errors.Is(err, keep.ErrUnlocked):
		return catalog.Refuse("%w: make the bucket with Object Lock, and give it a default retention; see docs/immutability.md", err)
	case errors.Is(err, store.ErrDenied):
		return fmt.Errorf("%w: the credentials must be those that packstone doctor --print-policy keeper prints", err)
	case err != nil && r.Extended.Objects > 0:
		return fmt.Errorf("%w; extended %s until then, and the next run continues", err, output.Plural(r.Extended.Objects, "lock"))
	case err != nil:
		return err
	}
	m := message.KeepOf(r, a.flags.dryRun)
	a.out.Summary(m, m.Text())
	if err := a.keepVerdict(r); err != nil {
		return err
	}
	return a.out.Err()
}

// keepVerdict tells what is wrong, and returns how the program ends for it.
func (a *app) keepVerdict(r *keep.Report) error {
	var code int
	tell := func(is int, format string, args ...any) {
		code = max(code, is)
		a.out.Problem("", "keep", fmt.Errorf(format, args...))
	}
	if r.Withheld.Objects > 0 {
		tell(exitMissing, "%s, %s, are new since %s, which is more than usual: their locks were not extended. Look at packstone snapshots, and run packstone keep --accept-growth if that is right",
			output.Plural(r.Withheld.Objects, "pack"), output.Bytes(r.Withheld.Bytes), output.Time(r.Since))
	}
	if r.OnlyKnown {
		tell(exitIntegrity, "cannot tell what a restore needs, so the locks of what the last run had known were extended, and no others: %w", r.Doubt)
	} else if r.Doubt != nil {
		tell(exitMissing, "cannot tell which packs are needed, so the locks of all were extended: %w", r.Doubt)
	}
	for _, text := range r.Problems {
		tell(exitIntegrity, "%s", text)
	}
	if r.Overwritten > 0 {
		tell(exitIntegrity, "%s that a restore needs were written over or deleted: %s. Their first versions are there and locked", output.Plural(r.Overwritten, "object"),
			strings.Join(r.OverwrittenFirst, ", "))
	}
	if r.Missing > 0 {
		tell(exitIntegrity, "%s that a restore needs are not there; packstone check names them", output.Plural(r.Missing, "pack"))
	}
	if code == 0 {
		return nil
	}
	return exitWith(code, "%w", exitcode.ErrReported)
}

package main

import (
	"context"
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
	cmd := described("keep", cobra.NoArgs)
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
	if err := message.KeepOutcome(report, err); err != nil {
		return err
	}
	m := message.KeepOf(report, a.flags.dryRun)
	err = a.out.Summary(m, m.Text())
	code, problems := message.KeepProblems(report)
	for _, problem := range problems {
		a.out.Problem("", "keep", problem)
	}
	if code != 0 {
		return exitWith(code, "%w", exitcode.ErrReported)
	}
	return err
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

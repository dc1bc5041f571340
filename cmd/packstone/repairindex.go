package main

import (
	"context"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
)

// repairIndex lists the packs again that no index run lists.
func (a *app) repairIndex(ctx context.Context) error {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite|machine.MayDecide|machine.BypassCache|machine.EvenBroken)
	if err != nil {
		return err
	}
	o := check.Options{Parallel: a.flags.concurrency, Progress: new(pipeline.Progress)}
	stop := a.out.Progress(meter.Of(o.Progress))
	plan, err := check.PlanRebuild(ctx, repo, o)
	if err == nil {
		defer plan.Close()
	}
	if err == nil && plan.Unlisted > 0 && !a.flags.dryRun {
		err = a.relist(ctx, repo, plan)
	}
	stop()
	if err != nil {
		return err
	}
	m := message.RelistOf(plan, a.flags.dryRun)
	message.TellDamage(a.out, "repair", m.Left, a.flags.verbose > 0)
	err = a.out.Message("relist", m, m.Text())
	switch damaged := plan.Damaged(); {
	case damaged > 0:
		return exitWith(exitIntegrity, "%s damaged (listed above): packstone repair --from source or a mirror comes first", output.Plural(damaged, "object"))
	case len(m.Left) > 0:
		return exitWith(exitIntegrity, "%s could not be read yet, and what only they tell is not listed (above is what to do)", output.Plural(len(m.Left), "object"))
	}
	return err
}

// relist carries a plan out.
func (a *app) relist(ctx context.Context, repo *catalog.Repository, plan *check.Rebuild) error {
	by, err := a.mover(ctx, repo)
	if err != nil {
		return err
	}
	return plan.Run(ctx, by)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

type forgetOptions struct {
	keep      keepFlags
	groupBy   string
	removeAll bool
	prune     bool
	ownHost   bool // snapshots of other hosts do not pass
	graceFlags
}

// defaultGroups is what two snapshots must have in common to replace each other, unless --group-by
// says otherwise.
const defaultGroups = "set,host,paths"

func newForget(a *app) *cobra.Command {
	var o forgetOptions
	cmd := described("forget", nil)
	o.keep.register(cmd.Flags())
	cmd.Flags().StringVar(&o.groupBy, "group-by", defaultGroups, "`what` two snapshots must have in common for one to replace the other; '' for nothing")
	cmd.Flags().BoolVar(&o.removeAll, "unsafe-allow-remove-all", false, "allow the newest snapshot to be forgotten; without rules, all that match")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "then run packstone prune")
	o.register(cmd.Flags())
	return a.verb(cmd, decides, func(ctx context.Context, args []string) error {
		if !o.prune && (o.period.Given || o.yes) {
			return usage("--grace and --yes are for --prune")
		}
		return a.forget(ctx, o, args)
	})
}

func (a *app) forget(ctx context.Context, o forgetOptions, names []string) error {
	policy := o.keep.given()
	if len(names) > 0 && (!policy.Empty() || o.removeAll) {
		return usage("name snapshots or rules, not both")
	}
	by, err := catalog.ParseGroupBy(o.groupBy)
	if err != nil {
		return usage("--group-by %w", err)
	}
	if err := checkSnapshots(names); err != nil {
		return err
	}
	v, err := a.openToDecide(ctx)
	if err != nil {
		return err
	}
	if err := v.Whole(ctx); err != nil {
		return err
	}
	if !a.flags.dryRun {
		if _, err := a.decider(ctx, v.Repo); err != nil {
			return err
		}
	}
	if o.ownHost {
		if a.flags.host, err = a.ThisHost(v.Repo.Format.Repository); err != nil {
			return err
		}
	}
	f, err := admin.NewForgetting(ctx, v, a.filter(), admin.ForgettingOptions{By: by, RemoveAll: o.removeAll, Preview: a.flags.dryRun})
	if err != nil {
		return err
	}
	// What it asks, it asks before anything is forgotten.
	grace, err := a.grace(v.Repo, o.graceFlags)
	if err != nil {
		return err
	}
	o.yes = true
	if len(names) > 0 {
		err = f.Named(names)
	} else {
		err = f.ByRules(policy, a.Policies)
	}
	if err != nil {
		return err
	}
	if err := a.finishForgetting(ctx, v, f, grace); err != nil || !o.prune || a.flags.dryRun {
		return err
	}
	return a.pruneNow(ctx, v.Repo, pruneOptions{graceFlags: o.graceFlags, deadAfter: defaultDead})
}

// finishForgetting does what was decided, or says what it would do.
func (a *app) finishForgetting(ctx context.Context, v *view.View, f *admin.Forgetting, grace time.Duration) error {
	gone, err := f.Gone()
	if err != nil {
		return err
	}
	m := message.ForgetOf(f, v.Snapshots)
	if m.DryRun = a.flags.dryRun; m.DryRun {
		err = a.weigh(ctx, v, &m, gone)
	} else if len(gone) > 0 {
		m.UndeleteFor(f.Now(), grace)
		err = a.decide(ctx, v.Repo, func(s *catalog.Session) error { return s.Forget(ctx, gone) })
		if err != nil {
			err = fmt.Errorf("forget %s: %w", output.Plural(len(gone), "snapshot"), err)
		}
	}
	if err != nil {
		return err
	}
	if young, floor := f.Below(); young > 0 {
		a.out.Note("%d of them are younger than the retention floor of %s, which binds collectors and jobs, but not the owner", young, retention.Period(floor))
	}
	return a.out.Summary(m, m.Text(a.out.Table))
}

// weigh says what would become free, as far as a key at hand opens the reference maps.
func (a *app) weigh(ctx context.Context, v *view.View, m *message.Forget, gone []archive.Name) error {
	weights, err := collect.Weigh(ctx, v.Repo, v.Log)
	if errors.Is(err, catalog.ErrNoIdentity) {
		a.Warn("without a key that can read the reference maps, the space that would become free is unknown")
		return nil
	}
	if err != nil {
		return err
	}
	return m.Weigh(weights, gone)
}

package main

import (
	"context"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/rewrite"
)

type rewriteOptions struct{ exclude, iexclude []string }

func newRewrite(a *app) *cobra.Command {
	var o rewriteOptions
	var forget bool
	cmd := described("rewrite", nil)
	flags := cmd.Flags()
	flags.StringArrayVar(&o.exclude, "exclude", nil, "leave out what matches this `pattern`, as in backup; may be repeated")
	flags.StringArrayVar(&o.iexclude, "iexclude", nil, "like --exclude, but ignore case in this `pattern`; may be repeated")
	flags.BoolVar(&forget, "forget", true, "forget the old snapshots; rewrite always does, and takes the flag for those used to it")
	return a.verb(cmd, decides, func(ctx context.Context, args []string) error {
		if !forget {
			return usage("--forget=false: the old snapshots are always forgotten; packstone undelete brings them back")
		}
		return a.rewrite(ctx, o, args)
	})
}

func (a *app) rewrite(ctx context.Context, o rewriteOptions, names []string) error {
	lines, err := rewrite.Patterns(o.exclude, o.iexclude)
	if err != nil {
		return err
	}
	if err := checkSnapshots(names); err != nil {
		return err
	}
	v, err := a.openToRewrite(ctx)
	if err != nil {
		return err
	}
	options := rewrite.Options{Exclude: lines, Fetch: a.fetchOptions(), Left: func(source string, n *tree.Node) {
		a.out.Detail(output.VerboseStatus{Action: "removed", Item: output.Name(path.Join(source, n.Path)), DataSize: n.Size})
	}}
	plan, err := rewrite.NewPlan(ctx, v, names, options)
	if err != nil {
		return err
	}
	if err := plan.MayForget(ctx, v, a.flags.dryRun); err != nil {
		return err
	}
	return a.finishRewriting(ctx, v.Repo, plan, options)
}

// openToRewrite opens the repository with all the keys that it takes, before anything is read.
func (a *app) openToRewrite(ctx context.Context) (*view.View, error) {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MustWrite|machine.MayDecide)
	if err != nil {
		return nil, err
	}
	if !a.flags.dryRun {
		signer, err := a.decider(ctx, repo)
		if err != nil {
			return nil, fmt.Errorf("the old snapshots are forgotten: %w", err)
		}
		if err := repo.MayDecide(signer); err != nil {
			return nil, err
		}
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return nil, err
	}
	return v, v.Whole(ctx)
}

// finishRewriting makes the new snapshots, and then forgets the old ones.
func (a *app) finishRewriting(ctx context.Context, repo *catalog.Repository, plan *rewrite.Plan, o rewrite.Options) error {
	forgotten := 0
	if !a.flags.dryRun {
		o.Left = nil
		replaced, err := plan.Make(ctx, repo, o)
		if err != nil {
			return err
		}
		if forgotten = len(replaced); forgotten > 0 {
			err = a.decide(ctx, repo, func(s *catalog.Session) error { return s.Replace(ctx, replaced) })
		}
		if err != nil {
			return fmt.Errorf("forget %s that were rewritten; to continue, run the same command again: %w", output.Plural(len(replaced), "snapshot"), err)
		}
	}
	m := message.RewriteOf(plan, forgotten, a.flags.dryRun)
	return a.out.Summary(m, m.Text())
}

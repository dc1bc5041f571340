package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

type tagOptions struct{ add, remove, set []string }

func newTag(a *app) *cobra.Command {
	var o tagOptions
	cmd := described("tag", nil)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.add, "add", nil, "`tags` to add, separated by commas; may be repeated")
	flags.StringSliceVar(&o.remove, "remove", nil, "`tags` to remove, separated by commas; may be repeated")
	flags.StringSliceVar(&o.set, "set-tags", nil, "`tags` to set instead of all others; empty for none")
	return a.verb(cmd, decides, func(ctx context.Context, args []string) error {
		replace := cmd.Flags().Changed("set-tags")
		if replace == (len(o.add)+len(o.remove) > 0) {
			return usage("say what to change: --add and --remove, or --set-tags")
		}
		for _, tag := range slices.Concat(o.add, o.remove, o.set) {
			if err := checkTag("a tag", tag); err != nil {
				return err
			}
		}
		return a.tag(ctx, o, replace, args)
	})
}

func (a *app) tag(ctx context.Context, o tagOptions, replace bool, names []string) error {
	if err := checkSnapshots(names); err != nil {
		return err
	}
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite|machine.MayDecide)
	if err != nil {
		return err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return err
	}
	change := func(chosen []*catalog.Snapshot) catalog.TagChange {
		if replace {
			return catalog.ChangeTo(o.set, chosen)
		}
		return catalog.TagChange{Add: o.add, Remove: o.remove}
	}
	mayDecide := func() error {
		_, err := a.Decider(repo)
		return err
	}
	t, err := admin.NewTagging(v, names, change, mayDecide)
	if err != nil {
		return err
	}
	if !a.flags.dryRun {
		if err := t.Make(ctx, func(do func(*catalog.Session) error) error { return a.decide(ctx, repo, do) }); err != nil {
			return err
		}
	}
	m := message.TagOf(t.Snapshots)
	return a.out.Summary(m, m.Text(t.Snapshots, a.flags.dryRun))
}

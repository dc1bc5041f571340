package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

type tagOptions struct{ add, remove, set []string }

func newTag(a *app) *cobra.Command {
	var o tagOptions
	cmd := &cobra.Command{
		Use:   "tag [SNAPSHOT...]",
		Short: "Add or remove tags of snapshots.",
		Long: `Without SNAPSHOT it changes all snapshots of this host that match --set, --host and --tag. Snapshots
of other hosts need the key of the owner or a collector. The snapshots themselves do not change: a
separate record holds the change.`,
		Example: `  packstone tag --add release latest
  packstone tag --set-tags keep,2026 4f2a81c0`,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.add, "add", nil, "`tags` to add, separated by commas; may be repeated")
	flags.StringSliceVar(&o.remove, "remove", nil, "`tags` to remove, separated by commas; may be repeated")
	flags.StringSliceVar(&o.set, "set-tags", nil, "`tags` to set instead of all others; empty for none")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths|usesDryRun, func(ctx context.Context, args []string) error {
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
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite|machine.MayDecide)
	if err != nil {
		return err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return err
	}
	chosen, own, err := a.taggable(v, names)
	if err != nil {
		return err
	}
	change := catalog.TagChange{Add: o.add, Remove: o.remove}
	if replace {
		change = catalog.ChangeTo(o.set, chosen)
	}
	chosen = slices.DeleteFunc(chosen, func(s *catalog.Snapshot) bool { return !change.Changes(s) })
	if len(chosen) > 0 && !a.flags.dryRun {
		if err := a.changeTags(ctx, repo, chosen, change, own); err != nil {
			return err
		}
	}
	m := message.TagOf(chosen)
	a.out.Summary(m, m.Text(chosen, a.flags.dryRun))
	return a.out.Err()
}

// taggable are the snapshots that are named, or without names those of this host, and whether this
// host's key is enough for all of them.
func (a *app) taggable(v *view.View, names []string) (chosen []*catalog.Snapshot, own bool, err error) {
	writer, err := v.Repo.Writer()
	if err != nil && len(names) == 0 {
		return nil, false, err
	}
	if len(names) == 0 {
		chosen, err = v.ChooseOwn(nil, writer.Signer.Name())
		return chosen, true, err
	}
	name := ""
	if err == nil {
		name = writer.Signer.Name()
	}
	if chosen, err = v.Choose(names); err != nil {
		return nil, false, err
	}
	for _, s := range chosen {
		if s.Writer == name {
			continue
		}
		if _, err := a.Decider(v.Repo); err != nil {
			return nil, false, catalog.Refuse("snapshot %s was made with the key of %s; its tags are changed with that key, the owner's or a collector's: %v", s.ShortID(), s.Writer, err)
		}
		return chosen, false, nil
	}
	return chosen, true, nil
}

// changeTags changes tags with this host's own key, or with that of the owner or a collector.
func (a *app) changeTags(ctx context.Context, repo *catalog.Repository, chosen []*catalog.Snapshot, change catalog.TagChange, own bool) error {
	if own {
		return repo.ChangeTags(ctx, chosen, change)
	}
	return a.decide(ctx, repo, func(s *catalog.Session) error { return s.SetTags(ctx, chosen, change.Add, change.Remove) })
}

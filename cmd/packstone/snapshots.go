package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newSnapshots(a *app) *cobra.Command {
	var o snapshotsOptions
	cmd := described("snapshots", nil)
	flags := cmd.Flags()
	flags.BoolVar(&o.all, "all", false, "also list forgotten snapshots")
	flags.IntVar(&o.latest, "latest", 0, "list only the newest `n` of each set and host, or of each group of --group-by")
	flags.StringVar(&o.groupBy, "group-by", "", "group by `what` snapshots have in common: set, host and paths, separated by commas")
	flags.BoolVarP(&o.long, "long", "l", false, "also list what is said of each snapshot: its references, and what is not backed up")
	flags.BoolVar(&o.compact, "compact", false, "list only ids, times, hosts and tags")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if err := o.check(cmd.Flags().Changed); err != nil {
			return err
		}
		if err := checkSnapshots(args); err != nil {
			return err
		}
		v, err := a.openToLook(ctx)
		if err != nil {
			return err
		}
		v.TellClaims()
		if o.all {
			if err := v.AddForgotten(ctx); err != nil {
				return err
			}
		}
		chosen, err := v.Choose(args)
		if err != nil {
			return err
		}
		if len(chosen) == 0 {
			a.tellNone(v)
		}
		if o.latest > 0 {
			chosen = o.by.Newest(chosen, o.latest)
		}
		err = a.printSnapshots(chosen, o)
		if len(args) == 0 {
			err = errors.Join(err, v.Whole(ctx))
		}
		return err
	})
}

// tellNone says why the list is empty.
func (a *app) tellNone(v *view.View) {
	if len(v.Snapshots) == 0 && !a.flags.VersionsAt.IsZero() {
		a.out.Note("There were no snapshots in this repository then. Name a later time with --versions-at")
		return
	}
	if len(v.Snapshots) == 0 {
		a.out.Note("There are no snapshots in this repository yet. Make one with: packstone backup PATH")
		return
	}
	a.out.Note("None of the %s matches what you asked for.", output.Plural(len(v.Snapshots), "snapshot"))
}

type snapshotsOptions struct {
	all, compact bool
	long         bool
	latest       int
	groupBy      string
	by           catalog.GroupBy
}

func (o *snapshotsOptions) check(given func(flag string) bool) (err error) {
	if given("latest") && o.latest < 1 {
		return usage("--latest %d: want 1 or more", o.latest)
	}
	o.by = catalog.GroupBy{AnyPaths: true}
	if given("group-by") {
		if o.by, err = catalog.ParseGroupBy(o.groupBy); err != nil {
			return usage("--group-by %w", err)
		}
	}
	return nil
}

// printSnapshots prints one table, or one for each group.
func (a *app) printSnapshots(snapshots []*catalog.Snapshot, o snapshotsOptions) error {
	groups := [][]*catalog.Snapshot{snapshots}
	divided := o.groupBy != "" && !a.out.JSON()
	if divided {
		groups = catalog.Divide(snapshots, func(s *catalog.Snapshot) string { return s.Group(o.by) })
	}
	for i, group := range groups {
		rows := message.SnapshotsOf(group)
		table := message.SnapshotTable(rows, o.compact)
		if o.long {
			table.Footer = message.SnapshotRemarks(rows)
		}
		if divided {
			table.Title = rows[0].GroupName(o.by)
		}
		if i > 0 {
			a.out.Line("")
		}
		if err := output.List(a.out, rows, table); err != nil {
			return err
		}
	}
	return nil
}

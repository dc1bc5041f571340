package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

func newDiff(a *app) *cobra.Command {
	d := differ{app: a}
	cmd := described("diff", cobra.RangeArgs(1, 2))
	cmd.Flags().BoolVar(&d.isLive, "live", false, "compare the snapshot with its sources as they are now")
	cmd.Flags().BoolVar(&d.metadata, "metadata", false, "also list files of which only metadata changed")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, d.run)
}

// differ is one run of diff.
type differ struct {
	*app
	metadata bool
	isLive   bool
	summary  message.Diff
}

func (d *differ) run(ctx context.Context, args []string) error {
	if d.isLive != (len(args) == 1) {
		return usage("want diff SNAPSHOT SNAPSHOT, or diff SNAPSHOT[:SOURCE] --live")
	}
	if d.isLive {
		return d.live(ctx, args[0])
	}
	if err := checkSnapshots(args); err != nil {
		return err
	}
	b, err := d.browse(ctx)
	if err != nil {
		return err
	}
	before, err := b.Pick(args[0], d.filter())
	if err != nil {
		return err
	}
	after, err := b.Pick(args[1], d.filter())
	if err != nil {
		return err
	}
	d.summary = message.Diff{Source: before.ID.String(), Target: after.ID.String()}
	if err := b.Diff(ctx, before, after, d.take); err != nil {
		return err
	}
	return d.out.Summary(d.summary, d.summary.Text())
}

// live compares a snapshot with its sources as they are now.
func (d *differ) live(ctx context.Context, text string) error {
	if err := checkPlaces(text); err != nil {
		return err
	}
	b, err := d.browse(ctx)
	if err != nil {
		return err
	}
	p := catalog.ParsePlace(text)
	filter, err := d.filterHere(b.Repo, p)
	if err != nil {
		return err
	}
	s, err := b.Pick(p.Snapshot, filter)
	if err != nil {
		return err
	}
	at, err := p.In(s)
	if err != nil {
		return err
	}
	if at.Path != "" {
		return usage("--live compares whole sources: name SNAPSHOT or SNAPSHOT:SOURCE")
	}
	d.summary = message.Diff{Source: s.ID.String()}
	planner, problems := d.planner(), 0
	err = b.CompareLive(ctx, s, at.Sources, browse.LiveSources{
		Open: planner.OpenLive, OpenDatabase: planner.OpenLiveDatabase, Aside: d.Aside(), Each: d.take, EachTable: d.takeTable,
		Problem: func(source, path string, err error) {
			problems++
			d.out.Problem(message.Place(source, path).String(), "compare", err)
		},
	})
	if err != nil {
		return err
	}
	d.out.Summary(d.summary, d.summary.Text())
	if problems > 0 {
		return exitWith(exitMissing, "%s not compared (listed above)", output.Plural(problems, "entry"))
	}
	return d.out.Err()
}

// take counts and tells a change.
func (d *differ) take(source string, kind browse.Kind, c *tree.Change) error {
	d.summary.Count(kind, c)
	if kind == browse.Touched && !d.metadata {
		return d.out.Err()
	}
	m := message.Change{Source: output.Name(source), Path: output.Name(c.Path), Modifier: string(kind)}
	return d.out.Row("change", m, m.Text())
}

// takeTable counts and tells a table that differs.
func (d *differ) takeTable(source string, c browse.TableChange) error {
	d.summary.ChangedTables++
	m := message.Change{Source: output.Name(source), Path: output.Name("tables/" + c.Table), Modifier: string(c.Kind), Rows: c.Rows, RowsNow: c.Now}
	return d.out.Row("change", m, m.Text()+fmt.Sprintf(" (%s, %d now)", output.Plural(c.Rows, "row"), c.Now))
}

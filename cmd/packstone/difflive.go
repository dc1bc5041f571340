package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
	"github.com/packstone/packstone/pipeline/database"
)

// live compares a snapshot with its sources as they are now.
func (d *differ) live(ctx context.Context, text string) error {
	b, err := d.browse(ctx)
	if err != nil {
		return err
	}
	p := catalog.ParsePlace(text)
	filter := d.filterFor(p)
	if d.flags.host == "" {
		if filter.Prefer, err = d.HostIn(b.Repo); err != nil {
			return err
		}
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
	for _, source := range at.Sources {
		if err := d.liveSource(ctx, b, s, source); err != nil {
			return fmt.Errorf("compare %s: %w", message.Place(source.Name, ""), err)
		}
	}
	d.out.Summary(d.summary, d.summary.Text())
	if d.problems > 0 {
		return exitWith(exitMissing, "%s not compared (listed above)", output.Plural(d.problems, "entry"))
	}
	return d.out.Err()
}

func (d *differ) liveSource(ctx context.Context, b *browser, s *catalog.Snapshot, source *catalog.SourceState) (err error) {
	switch {
	case source.IsDatabase():
		return d.liveDatabase(ctx, b, s, source)
	case source.Type == "command":
		d.problem(source.Name, "", errors.New("it is the output of a command, which has no state to compare with"))
		return nil
	}
	t, err := b.Tree(s, source)
	if err != nil {
		return err
	}
	src, err := d.planner().OpenLive(ctx, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	l := browse.Live{
		Each:    func(kind browse.Kind, c *tree.Change) error { return d.take(source.Name, kind, c) },
		Problem: func(path string, err error) { d.problem(source.Name, path, err) },
	}
	return l.Compare(ctx, t, src)
}

// problem tells what cannot be compared.
func (d *differ) problem(source, path string, err error) {
	d.problems++
	d.out.Problem(message.Place(source, path).String(), "compare", err)
}

func (d *differ) liveDatabase(ctx context.Context, b *browser, s *catalog.Snapshot, source *catalog.SourceState) (err error) {
	was, err := b.Database(ctx, s, source, database.SourceOptions{Aside: d.Aside()})
	if err != nil {
		return err
	}
	now, err := d.planner().OpenLiveDatabase(ctx, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, now.Close()) }()
	return browse.CompareDatabase(ctx, was, now, func(c browse.TableChange) error { return d.takeTable(source.Name, c) })
}

// takeTable counts and tells a table that differs.
func (d *differ) takeTable(source string, c browse.TableChange) error {
	d.summary.ChangedTables++
	path := "tables/" + c.Table
	if d.out.JSON() {
		d.out.Message("change", message.Change{Source: output.Name(source), Path: output.Name(path), Modifier: string(c.Kind), Rows: c.Rows, RowsNow: c.Now}, "")
	} else {
		d.out.Line("%-4s %s (%s, %d now)", c.Kind, message.Place(source, path), output.Plural(c.Rows, "row"), c.Now)
	}
	return d.out.Err()
}

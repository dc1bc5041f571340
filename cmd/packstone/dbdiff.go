package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
)

type dbDiffOptions struct {
	filter  dbOptions
	script  string
	engine  string
	updates bool
}

func newDBDiff(a *app) *cobra.Command {
	var o dbDiffOptions
	cmd := described("db-diff", cobra.ExactArgs(2))
	flags := cmd.Flags()
	o.filter.registerFilter(flags)
	flags.StringVar(&o.script, "sql", "", "write a script of INSERT statements to `file`: one transaction, whole or not at all")
	flags.BoolVar(&o.updates, "updates", false, "with --sql: also set rows back that were changed")
	flags.StringVar(&o.engine, "engine", "", "with --sql: write for this `engine` (postgres, mysql, mariadb or sqlite) instead of the source's own")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection, func(ctx context.Context, args []string) error {
		if o.script == "" && (o.updates || o.engine != "") {
			return usage("--updates and --engine go with --sql")
		}
		d := &dbDiffer{app: a, o: o, begun: time.Now()}
		return d.run(ctx, args)
	})
}

// dbDiffer is one run of db diff.
type dbDiffer struct {
	*app
	o       dbDiffOptions
	begun   time.Time
	summary message.DatabaseDiff
	listing rowdiff.Listing
}

func (d *dbDiffer) run(ctx context.Context, args []string) error {
	if err := checkPlaces(args...); err != nil {
		return err
	}
	b, err := d.browse(ctx)
	if err != nil {
		return err
	}
	before, id, err := d.open(ctx, b, args[0])
	if err != nil {
		return err
	}
	after, other, err := d.open(ctx, b, args[1])
	if err != nil {
		return err
	}
	if err := d.checkPatterns(ctx, before, after); err != nil {
		return err
	}
	d.summary.Source, d.summary.Target = id, other
	results, err := d.compare(ctx, before, after)
	if err != nil {
		return err
	}
	return d.tell(results)
}

// open opens the rows of the database that a text names.
func (d *dbDiffer) open(ctx context.Context, b *browser, text string) (database.Source, string, error) {
	at, err := b.find(text)
	if err != nil {
		return nil, "", err
	}
	var found []*catalog.SourceState
	for _, s := range at.Sources {
		if s.IsDatabase() {
			found = append(found, s)
		}
	}
	if len(found) != 1 || at.Path != "" {
		return nil, "", usage("%s names %d databases: name one as SNAPSHOT:SOURCE", text, len(found))
	}
	src, err := b.Database(ctx, at.Snapshot, found[0], database.SourceOptions{Filter: d.o.filter.filter, Aside: d.Aside()})
	return src, at.Snapshot.ID.String(), err
}

// checkPatterns refuses patterns that match a table of neither snapshot.
func (d *dbDiffer) checkPatterns(ctx context.Context, before, after database.Source) error {
	err := convert.RefuseNothing(ctx, before, d.o.filter.filter)
	if errors.Is(err, convert.ErrUnmatched) {
		return convert.RefuseNothing(ctx, after, d.o.filter.filter)
	}
	return nil
}

// compare compares, and writes the script where one is wanted.
func (d *dbDiffer) compare(ctx context.Context, before, after database.Source) (results []rowdiff.Result, err error) {
	run := func(take func(*rowdiff.Table, *rowdiff.Change) error) (err error) {
		results, err = rowdiff.Compare(ctx, before, after, rowdiff.Options{Aside: d.Aside()}, func(t *rowdiff.Table, c *rowdiff.Change) error {
			d.listing.Note(t, c)
			return take(t, c)
		})
		return err
	}
	if d.o.script == "" {
		err = run(func(*rowdiff.Table, *rowdiff.Change) error { return nil })
		return results, err
	}
	file := rowdiff.ScriptFile{Path: d.o.script, Engine: d.o.engine, Updates: d.o.updates, Aside: d.Aside()}
	err = file.Write(ctx, before, run)
	d.summary.Inserts, d.summary.Updates = file.Inserts, file.Updated
	return results, err
}

// tell prints what differs.
func (d *dbDiffer) tell(results []rowdiff.Result) error {
	m := &d.summary
	for _, r := range results {
		if m.Count(r) {
			d.tellTable(r)
		}
	}
	m.TotalDuration = time.Since(d.begun).Seconds()
	d.out.Summary(*m, m.Text(d.o.script))
	if m.Differ > 0 {
		return exitWith(exitIntegrity, "%s of %d differ", output.Plural(m.Differ, "table"), m.Tables)
	}
	return d.out.Err()
}

func (d *dbDiffer) tellTable(r rowdiff.Result) {
	keys := d.listing.Lines(r.Table)
	if d.out.JSON() {
		d.out.Message("table_change", message.TableChangeOf(r, keys), "")
		return
	}
	for _, line := range message.TableChangeText(r, keys, d.listing.Left(r)) {
		d.out.Line("%s", line)
	}
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
)

// tableOptions say how single tables come back into a database that is not empty.
type tableOptions struct {
	as          string
	existing    bool
	foreignKeys bool
}

// Names of flags that refusals name.
const (
	asFlag          = "as"
	existingFlag    = "into-existing"
	foreignKeysFlag = "foreign-keys"
)

func (o *tableOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.as, asFlag, "", "restore the one table that --tables names under this `name`")
	flags.BoolVar(&o.existing, existingFlag, false, "put rows that are missing back into the tables that are there, by their keys; never change a row")
	flags.BoolVar(&o.foreignKeys, foreignKeysFlag, false, "give a table that comes back beside others its foreign keys to tables that are there")
}

// checkTables refuses flags of single tables where they mean nothing.
func (o *restoreOptions) checkTables() error {
	t, f := o.single, o.filling.filter
	fills := o.to.named() && o.server == nil
	switch {
	case f.Empty() && (t.as != "" || t.existing || t.foreignKeys):
		return usage("--%s, --%s and --%s go with --tables or --schema", asFlag, existingFlag, foreignKeysFlag)
	case !fills && (t.as != "" || t.existing || t.foreignKeys):
		return usage("--%s, --%s and --%s go with --to and a database", asFlag, existingFlag, foreignKeysFlag)
	case !fills && !f.Empty() && o.target == "":
		return usage("--tables, --exclude-tables and --schema go with --to and a database, or with --target")
	case t.existing && t.foreignKeys:
		return usage("--%s and --%s contradict each other: a table that is there keeps the keys that it has", existingFlag, foreignKeysFlag)
	}
	return nil
}

// single tells whether single tables come back, beside what is there or into it. A SQLite file that
// is not there yet is made as for a whole database.
func (r *restoring) single(ctx context.Context, dst database.Target) (bool, error) {
	switch {
	case r.o.filling.filter.Empty():
		return false, nil
	case r.o.single != tableOptions{}:
		return true, nil
	}
	there, err := dst.Schema(ctx)
	if err != nil || there.Engine != database.SQLite {
		return err == nil, err
	}
	v, ok := dst.(database.Vacancy)
	return ok && errors.Is(v.Vacant(ctx), database.ErrNotEmpty), nil
}

// intoTables restores single tables.
func (r *restoring) intoTables(ctx context.Context, s *catalog.SourceState, dst database.Target) error {
	all, err := r.openStreams(ctx, s, database.Filter{})
	if err != nil {
		return err
	}
	o := r.o.filling
	if err := convert.RefuseNothing(ctx, all, o.filter); err != nil {
		return err
	}
	pick := database.Pick{Filter: o.filter, As: r.o.single.as, ForeignKeys: r.o.single.foreignKeys || r.o.single.existing}
	src, err := pick.Of(ctx, all)
	if errors.Is(err, database.ErrPick) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	if r.o.single.existing {
		return r.putBack(ctx, src, dst)
	}
	o.filter, o.beside, o.noNativeDDL = database.Filter{}, true, true
	return r.convertDB(ctx, "restore", src, dst, o)
}

// putBack puts rows back into tables that are there.
func (r *restoring) putBack(ctx context.Context, src database.Source, dst database.Target) error {
	begun := time.Now()
	rows := &meter.Rows{}
	stop := r.out.Progress(rows.Counts)
	tables, err := convert.Refill(ctx, src, dst, convert.RefillOptions{DryRun: r.dry(), TrustCode: r.o.filling.trustCode, Progress: rows.Take})
	stop()
	if err != nil {
		return err
	}
	m := message.PutBackOf(r.snapshot, tables, time.Since(begun), r.dry())
	r.out.Summary(m, m.Text())
	if altered := m.Altered(); altered > 0 {
		return exitWith(exitMissing, "%s not as in the snapshot: a trigger or rule of the table changed them", output.Plural(altered, "row"))
	}
	return r.out.Err()
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/destination"
	"github.com/packstone/packstone/cmd/internal/exitcode"
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
	fills := o.to.named() && o.where.Server == nil
	switch {
	case f.Empty() && (t.as != "" || t.existing || t.foreignKeys):
		return usage("--%s, --%s and --%s go with --tables or --schema", asFlag, existingFlag, foreignKeysFlag)
	case !fills && (t.as != "" || t.existing || t.foreignKeys):
		return usage("--%s, --%s and --%s go with --to and a database", asFlag, existingFlag, foreignKeysFlag)
	case !fills && !f.Empty() && o.where.Directory == "":
		return usage("--tables, --exclude-tables and --schema go with --to and a database, or with --target")
	case t.existing && t.foreignKeys:
		return usage("--%s and --%s contradict each other: a table that is there keeps the keys that it has", existingFlag, foreignKeysFlag)
	}
	return nil
}

// restoreJobs is how many tables come back at once.
const restoreJobs = destination.Jobs

// intoDatabase puts the one database that is named straight into an engine.
func (r *restoring) intoDatabase(ctx context.Context) (err error) {
	at, err := r.from.In(r.snapshot)
	if err != nil {
		return err
	}
	r.to.Legs.Path = at.Path
	if len(at.Sources) != 1 || !r.to.IsDatabase(at.Sources[0]) {
		return usage("--to takes one database, named as SNAPSHOT:SOURCE, or the address of a directory on a server or in a bucket; a directory of this machine is --target")
	}
	if err := r.thawFirst(ctx); err != nil {
		return err
	}
	defer func() { err = r.tellFrozen(ctx, err) }()
	o := r.o.filling
	dst, err := r.openDBTarget(ctx, r.o.to, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	single := r.o.single != tableOptions{}
	if !single && !o.filter.Empty() {
		if single, err = database.Besides(ctx, dst); err != nil {
			return err
		}
	}
	if single {
		return r.intoTables(ctx, at.Sources[0], dst)
	}
	src, err := r.to.Legs.Rows(ctx, at.Sources[0], r.to.Options.Rows)
	if err != nil {
		return err
	}
	return r.convertDB(ctx, "restore", src, dst, o)
}

// fill fills a database with that of a source, and counts one that is not exact.
func (r *restoring) fill(ctx context.Context, s *catalog.SourceState, dst database.Target) error {
	src, err := r.to.Legs.Rows(ctx, s, database.SourceOptions{Aside: r.Aside()})
	if err != nil {
		return err
	}
	err = r.convertDB(ctx, "restore", src, dst, r.o.filling)
	var known *exitcode.Error
	if errors.As(err, &known) && known.Code == exitMissing {
		r.inexact++
		return nil
	}
	return err
}

// intoTables restores single tables, beside what is there or into it.
func (r *restoring) intoTables(ctx context.Context, s *catalog.SourceState, dst database.Target) error {
	all, err := r.to.Legs.Rows(ctx, s, database.SourceOptions{Aside: r.Aside()})
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
	o.filter, o.how.Plan.Beside, o.how.Plan.NoNativeDDL = database.Filter{}, true, true
	return r.convertDB(ctx, "restore", src, dst, o)
}

// putBack puts rows back into tables that are there.
func (r *restoring) putBack(ctx context.Context, src database.Source, dst database.Target) error {
	begun := time.Now()
	rows := &meter.Rows{}
	stop := r.out.Progress(rows.Counts)
	tables, err := convert.Refill(ctx, src, dst, convert.RefillOptions{DryRun: r.dry(), TrustCode: r.o.filling.how.Plan.TrustCode, Progress: rows.Take})
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

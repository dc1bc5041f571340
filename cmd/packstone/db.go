package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
)

func newDB(a *app) *cobra.Command {
	return group(described("db", nil), newDBExport(a), newDBImport(a), newDBVerify(a), newDBDiff(a))
}

// dbOptions are the flags of what reads one database and fills or compares another.
type dbOptions struct {
	filter    database.Filter
	how       convert.Options
	nativeDDL bool // of a file that was handed over
	zeroDates string
	nul       string
}

func (o *dbOptions) register(flags *pflag.FlagSet) {
	o.registerFilter(flags)
	o.registerJobs(flags, 4)
	o.registerNeutral(flags)
}

// registerFilter adds the flags that choose tables.
func (o *dbOptions) registerFilter(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.filter.Tables, "tables", nil, "only tables that match one of these `patterns`: name or schema.name, * for anything")
	flags.StringSliceVar(&o.filter.ExcludeTables, "exclude-tables", nil, "no tables that match one of these `patterns`")
	flags.StringSliceVar(&o.filter.Schemas, "schema", nil, "only schemas that match one of these `patterns`")
}

func (o *dbOptions) registerJobs(flags *pflag.FlagSet, usual int) {
	flags.IntVar(&o.how.Jobs, jobsFlag, usual, "`number` of tables to read or fill at once; 1 fills PostgreSQL in one transaction")
}

func (o *dbOptions) registerNeutral(flags *pflag.FlagSet) {
	flags.BoolVar(&o.how.Plan.NoNativeDDL, noNativeDDLFlag, false, "run no statements from the backup: build tables from their portable description, even in their own engine")
}

// registerOwners adds the flags that say whose things become, and whose code may run.
func (o *dbOptions) registerOwners(flags *pflag.FlagSet) {
	flags.BoolVar(&o.how.Plan.NoOwner, noOwnerFlag, false, "make the importing user the owner, not the roles or users that owned it")
	flags.StringToStringVar(&o.how.Plan.Roles, roleMapFlag, nil, "give what role or user A owned to B (`A=B`); may be repeated")
	flags.BoolVar(&o.how.Plan.TrustCode, trustCodeFlag, false, "allow code of ordinary users to run with the rights of the importing user")
}

// Names of flags that refusals and checks name.
const (
	noNativeDDLFlag = "no-native-ddl"
	nativeDDLFlag   = "native-ddl"
	noOwnerFlag     = "no-owner"
	roleMapFlag     = "role-map"
	trustCodeFlag   = "trust-code"
)

// registerWriting adds the flags of what fills a database.
func (o *dbOptions) registerWriting(flags *pflag.FlagSet) {
	o.register(flags)
	flags.BoolVar(&o.how.Strict, "strict", false, "change nothing unless everything can be kept exactly")
}

// registerValues adds the flags for values that some engines have no place for.
func (o *dbOptions) registerValues(flags *pflag.FlagSet) {
	flags.StringVar(&o.zeroDates, "zero-dates", "null", "`policy` for dates such as 0000-00-00: null (where the column allows it), refuse, or loosen (make columns allow null)")
	flags.StringVar(&o.nul, "nul", "refuse", "`policy` for NUL characters in text that cannot hold them: refuse, or strip (remove them)")
}

func (o *dbOptions) target(a *app) database.TargetOptions {
	return database.TargetOptions{Jobs: o.how.Jobs, Aside: a.Aside()}
}

func (o *dbOptions) source(a *app) database.SourceOptions {
	return database.SourceOptions{Filter: o.filter, Jobs: o.how.Jobs, Aside: a.Aside()}
}

func (o *dbOptions) checkJobs() error {
	if o.how.Jobs < 1 {
		return usage("--%s %d: must be at least 1", jobsFlag, o.how.Jobs)
	}
	return nil
}

func (o *dbOptions) check() error {
	if err := o.checkJobs(); err != nil {
		return err
	}
	if o.nativeDDL && o.how.Plan.NoNativeDDL {
		return usage("--%s and --%s contradict each other", nativeDDLFlag, noNativeDDLFlag)
	}
	if _, ok := zeroDates[o.zeroDates]; !ok {
		return usage("--zero-dates %s: want null, refuse or loosen", o.zeroDates)
	}
	if _, ok := nulPolicies[o.nul]; !ok {
		return usage("--nul %s: want refuse or strip", o.nul)
	}
	return nil
}

// What the flags for values can be; empty where a verb has no such flag.
var (
	zeroDates = map[string]database.ZeroDates{
		"": database.ZeroDatesNull, "null": database.ZeroDatesNull, "refuse": database.ZeroDatesRefuse, "loosen": database.ZeroDatesLoosen,
	}
	nulPolicies = map[string]database.NULPolicy{"": database.NULRefuse, "refuse": database.NULRefuse, "strip": database.NULStrip}
)

// convert says how rows are converted, and what a target may make of a schema. Statements of a file
// that was handed over run only if that is asked for.
func (o *dbOptions) convert(progress func(convert.Progress)) convert.Options {
	how := o.how
	how.Plan.NoNativeDDL = how.Plan.NoNativeDDL || how.Plan.HandedOver && !o.nativeDDL
	how.Plan.ZeroDates, how.Plan.NUL, how.Progress = zeroDates[o.zeroDates], nulPolicies[o.nul], progress
	return how
}

// Names of flags that refusals name.
const (
	emptyLeftoverFlag = "empty-leftover"
	jobsFlag          = "jobs"
)

// dbAddress is a database that a pair of flags names: its URL, or a file that holds it.
type dbAddress struct {
	name      string // of the flag
	url, file string
	// emptyLeftover says that leavings of an import into it may be dropped.
	emptyLeftover bool
}

// registerFilling adds the flags of a database that is to be filled.
func (d *dbAddress) registerFilling(flags *pflag.FlagSet, what string) {
	d.register(flags, "to", what)
	flags.BoolVar(&d.emptyLeftover, emptyLeftoverFlag, false, "with --to: drop, first, what an import that was killed left behind in a PostgreSQL, MySQL, MariaDB or Oracle database")
}

func (d *dbAddress) register(flags *pflag.FlagSet, name, what string) {
	d.name = name
	flags.StringVar(&d.url, name, "", "`URL` of the database "+what)
	flags.StringVar(&d.file, name+"-file", "", "`file` that holds this URL")
}

func (d *dbAddress) named() bool { return d.url != "" || d.file != "" }

// locate reads the address, and adds the password that the user keeps elsewhere.
func (d *dbAddress) locate(a *app) (database.Location, error) {
	return a.LocateEither(d.name, d.url, d.file)
}

// between opens what is filled or compared, and then what is read, and closes both after do.
func between(to func() (database.Target, error), from func() (database.Source, error), do func(src database.Source, dst database.Target) error) (err error) {
	dst, err := to()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	src, err := from()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return do(src, dst)
}

// tellDB prints the report of what was done, or refused.
func (a *app) tellDB(action string, r *database.Report, begun time.Time) {
	if r == nil {
		return
	}
	m := message.DatabaseOf(action, r, time.Since(begun), a.flags.dryRun)
	a.out.Summary(m, m.Text(r))
}

// dbOutcome says how exact a copy is that was made.
func dbOutcome(r *database.Report) error {
	if n := len(r.Inexact()); n > 0 {
		return exitWith(exitMissing, "%s not kept exactly (listed above)", output.Plural(n, "thing"))
	}
	return nil
}

// convertDB copies a database, prints the report, and says how exact the copy is.
func (a *app) convertDB(ctx context.Context, action string, src database.Source, dst database.Target, o dbOptions) error {
	begun := time.Now()
	if err := convert.RefuseNothing(ctx, src, o.filter); err != nil {
		return err
	}
	var report *database.Report
	var err error
	if a.flags.dryRun {
		report, err = convert.Preview(ctx, src, dst, o.convert(nil))
	} else {
		rows := &meter.Rows{}
		stop := a.out.Progress(rows.Counts)
		report, err = convert.Run(ctx, src, dst, o.convert(rows.Take))
		stop()
	}
	if err == nil || (a.flags.dryRun || errors.Is(err, database.ErrRefused)) && !errors.Is(err, database.ErrNotEmpty) {
		a.tellDB(action, report, begun)
	}
	switch {
	case err == nil:
		return errors.Join(dbOutcome(report), a.out.Err())
	case errors.Is(err, database.ErrNUL) && action == "import":
		return fmt.Errorf("%w; --nul strip leaves such characters out", err)
	}
	return cured(err)
}

// cured says what to do about what databases refuse.
func cured(err error) error { return trustCure(leftoverCure(err)) }

// leftoverCure says what to do about what a killed import has left.
func leftoverCure(err error) error {
	if !errors.Is(err, database.ErrLeftover) {
		return err
	}
	return fmt.Errorf("%w; --%s drops it first", err, emptyLeftoverFlag)
}

// trustCure says what to do about code that is not trusted.
func trustCure(err error) error {
	if !errors.Is(err, database.ErrUntrusted) {
		return err
	}
	return fmt.Errorf("%w; all are listed above. Allow them with --%s, or import as an ordinary user, whose rights they then have", err, trustCodeFlag)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
)

func newDB(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Export a database to one SQLite file, import it into any engine.",
		Long: `URLs are postgres://, mysql:// (MariaDB too), sqlite:PATH and, experimental, oracle:// and
sqlserver://. Never put a password on the command line. packstone reads it from the file that
--from-file or --to-file names, from PACKSTONE_DB_PASSWORD or PACKSTONE_DB_PASSWORD_FILE, from
PGPASSFILE for PostgreSQL, or from ~/.my.cnf for MySQL and MariaDB.`,
		Example: `  packstone db export --from postgres://backup@db/platform platform.sqlite
  packstone db import platform.sqlite --to mysql://root@localhost/platform`,
	}
	return group(cmd, newDBExport(a), newDBImport(a), newDBVerify(a), newDBDiff(a))
}

// dbOptions are the flags of what reads one database and fills or compares another.
type dbOptions struct {
	filter      database.Filter
	strict      bool
	jobs        int
	noNativeDDL bool
	nativeDDL   bool // of a file that was handed over
	handedOver  bool
	beside      bool // what is there
	noOwner     bool
	roles       map[string]string
	trustCode   bool
	zeroDates   string
	nul         string
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
	flags.IntVar(&o.jobs, jobsFlag, usual, "`number` of tables to read or fill at once; 1 fills PostgreSQL in one transaction")
}

func (o *dbOptions) registerNeutral(flags *pflag.FlagSet) {
	flags.BoolVar(&o.noNativeDDL, noNativeDDLFlag, false, "run no statements from the backup: build tables from their portable description, even in their own engine")
}

// registerOwners adds the flags that say whose things become, and whose code may run.
func (o *dbOptions) registerOwners(flags *pflag.FlagSet) {
	flags.BoolVar(&o.noOwner, noOwnerFlag, false, "make the importing user the owner, not the roles or users that owned it")
	flags.StringToStringVar(&o.roles, roleMapFlag, nil, "give what role or user A owned to B (`A=B`); may be repeated")
	flags.BoolVar(&o.trustCode, trustCodeFlag, false, "allow code of ordinary users to run with the rights of the importing user")
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
	flags.BoolVar(&o.strict, "strict", false, "change nothing unless everything can be kept exactly")
}

// registerValues adds the flags for values that some engines have no place for.
func (o *dbOptions) registerValues(flags *pflag.FlagSet) {
	flags.StringVar(&o.zeroDates, "zero-dates", "null", "`policy` for dates such as 0000-00-00: null (where the column allows it), refuse, or loosen (make columns allow null)")
	flags.StringVar(&o.nul, "nul", "refuse", "`policy` for NUL characters in text that cannot hold them: refuse, or strip (remove them)")
}

func (o *dbOptions) target(a *app) database.TargetOptions {
	return database.TargetOptions{Jobs: o.jobs, Aside: a.Aside()}
}

func (o *dbOptions) source(a *app) database.SourceOptions {
	return database.SourceOptions{Filter: o.filter, Jobs: o.jobs, Aside: a.Aside()}
}

func (o *dbOptions) checkJobs() error {
	if o.jobs < 1 {
		return usage("--%s %d: must be at least 1", jobsFlag, o.jobs)
	}
	return nil
}

func (o *dbOptions) check() error {
	if err := o.checkJobs(); err != nil {
		return err
	}
	if o.nativeDDL && o.noNativeDDL {
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

func (o *dbOptions) convert(progress func(convert.Progress)) convert.Options {
	return convert.Options{Plan: o.plan(), Strict: o.strict, Jobs: o.jobs, Progress: progress}
}

// plan says what a target may make of a schema. Statements of a file that was handed over run only
// if that is asked for.
func (o *dbOptions) plan() database.PlanOptions {
	return database.PlanOptions{
		NoNativeDDL: o.noNativeDDL || o.handedOver && !o.nativeDDL, NoOwner: o.noOwner, Roles: o.roles, HandedOver: o.handedOver, TrustCode: o.trustCode, Beside: o.beside,
		ZeroDates: zeroDates[o.zeroDates], NUL: nulPolicies[o.nul],
	}
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
	if (d.url == "") == (d.file == "") {
		return database.Location{}, usage("name the database by one of --%s and --%s-file", d.name, d.name)
	}
	if d.file != "" {
		at, err := config.ReadLocation(d.file)
		if err != nil {
			return at, err
		}
		return a.Login(at)
	}
	return a.Locate("--"+d.name, d.url)
}

// dbSummary is what the verbs of db print as JSON at their end.
type dbSummary struct {
	Action        string      `json:"action" doc:"What was done: export, import, verify or restore."`
	DryRun        bool        `json:"dry_run,omitempty" doc:"Whether nothing was changed: it says what would have been done."`
	Source        string      `json:"source" doc:"Engine and version of the source."`
	Moment        string      `json:"moment,omitempty" doc:"The snapshot in the engine's own terms."`
	Rows          int64       `json:"rows" doc:"Rows that were copied or compared."`
	Bytes         int64       `json:"bytes" doc:"Their bytes in canonical form."`
	Verified      bool        `json:"verified" doc:"Whether the copy was read back and found equal."`
	ReadBack      float64     `json:"read_back_duration,omitempty" doc:"Seconds from the begin of that to its end; keys and indexes may have been built meanwhile."`
	Tables        []dbTable   `json:"tables" doc:"The tables."`
	Exact         int         `json:"exact" doc:"Number of objects that were kept exactly."`
	Inexact       []dbFinding `json:"inexact" doc:"Objects and values that were not."`
	Chosen        int         `json:"chosen,omitempty" doc:"Number of objects that hang on tables that were left out."`
	Untrusted     []dbFinding `json:"untrusted,omitempty" doc:"What runs with a superuser's rights though it belongs to no superuser."`
	Statements    []string    `json:"statements,omitempty" doc:"With --dry-run, the statements that came with the database and would run."`
	TotalDuration float64     `json:"total_duration" doc:"Seconds."`
}

type dbTable struct {
	Table  string `json:"table" doc:"Its name in the source."`
	Target string `json:"target" doc:"Its name in the copy."`
	Rows   int64  `json:"rows" doc:"Rows."`
	Digest string `json:"digest" doc:"Sum of the SHA-256 of its rows in canonical form."`
}

type dbFinding struct {
	Kind   string `json:"kind" doc:"What kind of object it is."`
	Object string `json:"object" doc:"Its name."`
	Status string `json:"status" doc:"approximated, sidecar (its definition is kept beside the data) or dropped."`
	Code   string `json:"code,omitempty" doc:"A code that stays the same between versions."`
	Reason string `json:"reason,omitempty" doc:"Why."`
	Count  int64  `json:"count,omitempty" doc:"Values concerned, where they were counted."`
}

func summarizeDB(action string, r *database.Report, took time.Duration) dbSummary {
	m := dbSummary{
		Action: action, Source: r.Source, Moment: r.Moment, Verified: r.Verified, ReadBack: r.ReadBack.Seconds(), TotalDuration: took.Seconds(),
		Tables: []dbTable{}, Inexact: []dbFinding{},
	}
	for _, t := range r.Tables {
		m.Rows += t.Rows
		m.Bytes += t.Bytes
		m.Tables = append(m.Tables, dbTable{t.Table, t.Target, t.Rows, t.Digest.String()})
	}
	for _, f := range r.Inexact() {
		m.Inexact = append(m.Inexact, newDBFinding(f))
	}
	for _, f := range r.Untrusted {
		m.Untrusted = append(m.Untrusted, newDBFinding(f))
	}
	m.Chosen = r.Chosen()
	m.Exact = len(r.Findings) - len(m.Inexact) - m.Chosen
	return m
}

func newDBFinding(f database.Finding) dbFinding {
	name := strings.TrimPrefix(f.Object.String(), f.Object.Kind+" ")
	return dbFinding{f.Object.Kind, name, string(f.Status), string(f.Code), f.Reason, f.Count}
}

func (m dbSummary) text() string {
	objects := fmt.Sprintf("%s exact, %d not", output.Plural(m.Exact, "object"), len(m.Inexact))
	switch {
	case m.DryRun:
		return fmt.Sprintf("%s of %s: no rows were read; %s; nothing was changed: this was a dry run", m.Action, m.Source, objects)
	case len(m.Tables) == 0:
		return fmt.Sprintf("%s of %s: no rows were read; %s", m.Action, m.Source, objects)
	}
	took := time.Duration(m.TotalDuration * float64(time.Second)).Round(time.Millisecond)
	text := fmt.Sprintf("%s of %s: %s, %s (%s) in %s; %s", m.Action, m.Source, output.Plural(len(m.Tables), "table"), output.Plural(m.Rows, "row"), output.Bytes(m.Bytes), took, objects)
	if m.Verified {
		text += "; read back and found equal"
	}
	if m.ReadBack > 0 {
		text += fmt.Sprintf(", which took %s", time.Duration(m.ReadBack*float64(time.Second)).Round(time.Millisecond))
	}
	return text
}

// tellDB prints the report of what was done, or refused.
func (a *app) tellDB(action string, r *database.Report, begun time.Time) {
	if r == nil {
		return
	}
	m := summarizeDB(action, r, time.Since(begun))
	m.DryRun = a.flags.dryRun
	text := m.text()
	if a.flags.dryRun {
		m.Statements = r.Statements
		text = wouldRun(r.Statements) + text
	}
	for _, f := range slices.Backward(slices.Concat(r.Inexact(), r.Untrusted)) {
		text = f.String() + "\n" + text
	}
	if n := r.Chosen(); n > 0 {
		text = fmt.Sprintf("left out %s that belong to tables that were left out\n", output.Plural(n, "object")) + text
	}
	a.out.Summary(m, text)
}

// wouldRun prints statements as one could run them.
func wouldRun(statements []string) string {
	if len(statements) == 0 {
		return ""
	}
	return "these statements came with the database and would run:\n" + strings.Join(statements, ";\n") + ";\n"
}

// dbOutcome says how exact a copy is that was made.
func dbOutcome(r *database.Report) error {
	if n := len(r.Inexact()); n > 0 {
		return exitWith(exitMissing, "%s not kept exactly (listed above)", output.Plural(n, "thing"))
	}
	return nil
}

// dbMeter shows how far a conversion is.
type dbMeter struct {
	mu  sync.Mutex
	now convert.Progress
}

func (m *dbMeter) take(p convert.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = p
}

func (m *dbMeter) counts() output.Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	current := fmt.Sprintf("%s %s", m.now.Stage, output.Plural(m.now.Rows, "row"))
	if m.now.Table != "" {
		current += " of " + m.now.Table
	}
	return output.Counts{BytesDone: m.now.Bytes, TotalBytes: max(m.now.TotalBytes, 0), Current: []string{current}}
}

// convertDB copies a database, prints the report, and says how exact the copy is.
func (a *app) convertDB(ctx context.Context, action string, src database.Source, dst database.Target, o dbOptions) error {
	begun := time.Now()
	if err := convert.RefuseNothing(ctx, src, o.filter); err != nil {
		return err
	}
	if a.flags.dryRun {
		report, err := convert.Preview(ctx, src, dst, o.convert(nil))
		if errors.Is(err, database.ErrNotEmpty) {
			return leftoverCure(err)
		}
		a.tellDB(action, report, begun)
		if err == nil {
			err = dbOutcome(report)
		}
		return errors.Join(trustCure(err), a.out.Err())
	}
	meter := &dbMeter{}
	stop := a.out.Progress(meter.counts)
	report, err := convert.Run(ctx, src, dst, o.convert(meter.take))
	stop()
	if err == nil || errors.Is(err, database.ErrRefused) && !errors.Is(err, database.ErrNotEmpty) {
		a.tellDB(action, report, begun)
	}
	if errors.Is(err, database.ErrLeftover) {
		return leftoverCure(err)
	}
	if errors.Is(err, database.ErrNUL) && action == "import" {
		return fmt.Errorf("%w; --nul strip leaves such characters out", err)
	}
	if err != nil {
		return trustCure(err)
	}
	return errors.Join(dbOutcome(report), a.out.Err())
}

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

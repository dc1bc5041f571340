package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/packstone/packstone/pipeline/database"
)

// target fills a database in one transaction, or by several connections.
type target struct {
	at      database.Location
	opts    database.TargetOptions
	conn    *pgx.Conn
	aside   string
	catalog *catalog        // as it is within the transaction, once rows are wanted
	plan    *plan           // from Create on
	there   map[string]bool // schemas that were there before
	lost    map[database.ObjectID]bool
	began   bool
	frozen  map[string]bool // tables whose rows may be frozen as they come, by ID
	several *several        // nil: there is one transaction
	marker  uint32          // the marker that was committed; 0: none
	done    bool
	staged  int  // tables that wait to be put back
	beside  bool // tables are made beside those that are there, in one transaction
}

// OpenTarget connects.
func (Driver) OpenTarget(ctx context.Context, at database.Location, opts database.TargetOptions) (database.Target, error) {
	conn, err := connect(ctx, at)
	if err != nil {
		return nil, err
	}
	return &target{at: at, opts: opts, conn: conn, aside: opts.Aside}, nil
}

// Close rolls back what was not committed, drops what was, unless all was, and disconnects.
func (t *target) Close() error {
	if t.several != nil {
		t.several.close()
	}
	var err error
	if !t.conn.IsClosed() {
		err = t.conn.Close(context.Background())
	}
	if t.marker == 0 || t.done {
		return err
	}
	t.done = true
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	return t.abandon(ctx)
}

// Schema reads the target's catalog as it is now.
func (t *target) Schema(ctx context.Context) (*database.Schema, error) {
	c, err := readCatalog(ctx, t.conn)
	if err != nil {
		return nil, t.at.Wrap("read the schema of", err)
	}
	t.catalog = c
	return c.neutral(database.Filter{}), nil
}

// Rows reads a planned table back.
func (t *target) Rows(ctx context.Context, table *database.Table, send func(*database.Batch) error) error {
	if t.several != nil {
		return t.rowsOf(ctx, table, send)
	}
	if t.catalog == nil {
		if _, err := t.Schema(ctx); err != nil {
			return err
		}
	}
	r := &reader{conn: t.conn, catalog: t.catalog, aside: t.aside, at: t.at, own: t.began}
	return r.rows(ctx, table, send)
}

// plan is what Plan keeps for Create, Finish and Conclude.
type plan struct {
	create []statement // before the rows
	finish []statement // after the rows
	last   []statement // after they were read back
	made   map[database.ObjectID]bool
	// sequences names what free sequences have become, by their IDs in the source.
	sequences map[string]string
	path      string // the search path of the source's users, with which a statement is tried again; empty: none
	load      string // the same, while rows are loaded; empty where somebody could have put code on the way
}

// statement makes one object, or changes it. Vital ones must succeed.
type statement struct {
	object database.ObjectID
	sql    string
	vital  bool
	owner  bool // it says whose the object is
	strict bool // it is not tried with the search path of the source's users
	rank   int  // of those that come last
	// table and name are those of a foreign key, as SQL spells the table.
	table, name string
	// loose is what to say where rows break the foreign key that it makes; if anything.
	loose database.Finding
}

// Plan replays a PostgreSQL source's own DDL; any other is mapped.
func (t *target) Plan(ctx context.Context, s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
	if opts.Beside {
		return t.planBeside(ctx, s, opts)
	}
	if s.Engine != database.Postgres || opts.NoNativeDDL {
		return mappedPlan(s, opts), nil
	}
	at, err := stand(ctx, t.conn, s, opts)
	if err != nil {
		return nil, t.at.Wrap("find out who imports into", err)
	}
	return nativePlan(s, opts, at)
}

// withoutGenerated is the table with generated columns unread: the server computes them as the
// source's did.
func withoutGenerated(t *database.Table) *database.Table {
	out := *t
	out.Columns = slices.Clone(t.Columns)
	for i, c := range out.Columns {
		if c.Generated != nil {
			unread := *c
			unread.Unread = true
			out.Columns[i] = &unread
		}
	}
	return &out
}

// vital objects carry or guard data; the others may fail one by one.
func vital(o *database.Object) bool {
	switch o.Kind {
	case "schema", "type", "domain", "sequence", "table", "partition", "primary key", "unique", "foreign key", "check", "exclusion", "default", "not null":
		return o.Phase != database.AtEnd
	case "index":
		return true
	}
	return false
}

// Create begins the transaction, refuses a database that holds something, and
// makes the tables. Where several connections are wanted it commits them, with a marker.
func (t *target) Create(ctx context.Context, p *database.Plan) error {
	if err := t.claim(ctx); err != nil {
		return err
	}
	if err := t.nameEvents(ctx, p); err != nil {
		return err
	}
	before, err := listThere(ctx, t.conn)
	if err != nil {
		return t.at.Wrap("look into", t.translate(err))
	}
	own := *p.Detail.(*plan)
	t.plan, t.there, t.lost = &own, map[string]bool{}, map[database.ObjectID]bool{}
	findings, err := t.run(ctx, t.plan.create)
	p.Findings = append(p.Findings, findings...)
	if err != nil {
		return err
	}
	if err := t.freezable(ctx); err != nil {
		return t.at.Wrap("look into", t.translate(err))
	}
	if t.opts.Jobs < 2 || t.beside {
		return nil
	}
	if err := t.open(ctx, before); err != nil {
		return t.at.Wrap("mark as being filled", t.translate(err))
	}
	p.Loaders, _ = t.ReadersAtOnce()
	return nil
}

// claim begins the transaction and makes sure that the database is empty and that nobody else fills
// it.
func (t *target) claim(ctx context.Context) error {
	if _, err := t.conn.Exec(ctx, "BEGIN"); err != nil {
		return t.at.Wrap("begin in", translateWritten(err))
	}
	t.began = true
	if err := lockImports(ctx, t.conn); err != nil {
		return t.at.Wrap("import into", t.translate(err))
	}
	marked, _, _, err := isMarked(ctx, t.conn)
	switch {
	case err != nil:
		return t.at.Wrap("look into", t.translate(err))
	case t.beside && !marked:
		return nil
	case marked && !t.opts.EmptyLeftover:
		return t.at.Wrap("import into", errLeftover())
	case marked:
		if err := empty(ctx, t.conn); err != nil {
			return t.at.Wrap("empty", t.translate(err))
		}
		if err := again(ctx, t.conn); err != nil {
			return t.at.Wrap("empty", t.translate(err))
		}
	}
	return t.refuseNonEmpty(ctx)
}

// lockImports keeps other imports out until the transaction ends.
func lockImports(ctx context.Context, conn *pgx.Conn) error {
	for tries := 0; ; tries++ {
		var ours bool
		if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT pg_catalog.pg_try_advisory_xact_lock(%d)", importLock)).Scan(&ours); err != nil {
			return err
		}
		if ours {
			return nil
		}
		if tries == 20 { // the server takes a moment to notice that an import was killed
			return fmt.Errorf("%w: another import is filling it", database.ErrNotEmpty)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// importLock is the advisory lock of imports: "packston" in ASCII.
const importLock = 0x7061636b73746f6e

// somethingThere names what is no extension's: whatever an import would make or could collide with.
var somethingThere = `SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS class, c.oid AS object, n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r','p','v','m','S','f') AND n.nspname <> '` + markerSchema + `' AND ` + userNamespace + ` AND ` + notMember("pg_class", "c.oid") + `
	UNION ALL
	SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, n.nspname || '.' || t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
	WHERE (t.typtype IN ('e','d','r') OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) AND ` + userType + `
	UNION ALL
	SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, n.nspname || '.' || p.proname || '()' FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
	WHERE ` + userNamespace + ` AND ` + notMember("pg_proc", "p.oid") + ` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND i.objid = p.oid AND i.deptype = 'i')
	UNION ALL
	SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, 'operator ' || n.nspname || '.' || o.oprname FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
	WHERE ` + userNamespace + ` AND ` + notMember("pg_operator", "o.oid") + `
	UNION ALL
	SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, o.oid, 'collation ' || n.nspname || '.' || o.collname FROM pg_catalog.pg_collation o JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace
	WHERE ` + userNamespace + ` AND ` + notMember("pg_collation", "o.oid") + `
	UNION ALL
	SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, o.oid, 'text search configuration ' || n.nspname || '.' || o.cfgname FROM pg_catalog.pg_ts_config o JOIN pg_catalog.pg_namespace n ON n.oid = o.cfgnamespace
	WHERE ` + userNamespace + ` AND ` + notMember("pg_ts_config", "o.oid") + `
	UNION ALL SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid, 'large object ' || oid FROM pg_catalog.pg_largeobject_metadata`

func (t *target) refuseNonEmpty(ctx context.Context) error {
	var name string
	var names []string
	if err := each(ctx, t.conn, "SELECT x.name FROM ("+somethingThere+") x LIMIT 3", []any{&name}, func() error { names = append(names, name); return nil }); err != nil {
		return t.at.Wrap("look into", t.translate(err))
	}
	if len(names) > 0 {
		return t.at.Wrap("import into", fmt.Errorf("%w: it holds %s", database.ErrNotEmpty, strings.Join(names, ", ")))
	}
	return nil
}

// nameEvents lists what the target has that acts when something is made in it.
func (t *target) nameEvents(ctx context.Context, p *database.Plan) error {
	var name string
	return each(ctx, t.conn, "SELECT evtname::text FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' AND evtevent <> 'login' ORDER BY 1", []any{&name}, func() error {
		p.Findings = append(p.Findings, database.Finding{
			Object: named("event trigger", "", name), Status: database.Approximated, Code: database.CodeActsOnIt,
			Reason: "it is the target's own, and has acted on what was made here",
		})
		return nil
	})
}

// run executes statements, each in a savepoint. One that fails is tried in the ways that it may
// still be meant in. What is left of failures is an error if the object is vital, else a finding.
func (t *target) run(ctx context.Context, statements []statement) ([]database.Finding, error) {
	var findings []database.Finding
	for _, s := range statements {
		if t.lost[s.object] {
			continue
		}
		finding, err := t.make(ctx, s)
		if err != nil {
			return findings, fmt.Errorf("create %s: %w", s.object, t.translate(err))
		}
		if finding != nil {
			findings = append(findings, *finding)
			t.lost[s.object] = finding.Status == database.Dropped
		}
	}
	return findings, nil
}

func (t *target) make(ctx context.Context, s statement) (*database.Finding, error) {
	if skip, err := t.isThere(ctx, s); skip || err != nil {
		return nil, err
	}
	err := t.attempt(ctx, s.sql)
	if err == nil || t.conn.IsClosed() || ctx.Err() != nil {
		return nil, err
	}
	if s.owner {
		return &database.Finding{Object: s.object, Status: database.Approximated, Code: database.CodeOwner, Reason: "it belongs to whoever imports: " + err.Error()}, nil
	}
	// A function may name tables as the database's users do.
	if t.plan.path != "" && !s.strict && wrongName(err) && t.attemptAmong(ctx, s) == nil {
		return nil, nil
	}
	if s.object.Kind == "check" && !strings.HasSuffix(s.sql, " NOT VALID") && t.attempt(ctx, s.sql+" NOT VALID") == nil {
		return &database.Finding{Object: s.object, Status: database.Approximated, Code: database.CodeMadeOther, Reason: "it is there as NOT VALID, since it cannot be checked against the rows: " + err.Error()}, nil
	}
	if s.loose.Code != "" && broken(err) {
		return t.makeLoose(ctx, s), nil
	}
	if s.vital && !expendable(s.object.Kind, err) {
		return nil, err
	}
	return &database.Finding{Object: s.object, Status: database.Dropped, Code: database.CodeRefused, Reason: err.Error()}, nil
}

// makeLoose makes a foreign key that rows break. A partitioned table has none that is NOT VALID
// before PostgreSQL 18.
func (t *target) makeLoose(ctx context.Context, s statement) *database.Finding {
	f := s.loose
	f.Object = s.object
	if err := t.attempt(ctx, s.sql+" NOT VALID"); err != nil {
		f.Status, f.Reason = database.Dropped, f.Reason+": "+err.Error()
		return &f
	}
	f.Reason += ": it is NOT VALID"
	return &f
}

// isThere says that a statement is about a schema that was there before, whose owner is left alone.
func (t *target) isThere(ctx context.Context, s statement) (bool, error) {
	if s.object.Kind != "schema" {
		return false, nil
	}
	if s.owner {
		return t.there[s.object.Name] && s.object.Name != "public", nil
	}
	there, err := t.hasSchema(ctx, s.object.Name)
	t.there[s.object.Name] = there
	return there, err
}

// expendable says that the copy is whole without an object that PostgreSQL refuses: one that only
// speeds up or guards, where no row contradicts it but something that it is made of is missing.
func expendable(kind string, err error) bool {
	switch kind {
	case "check":
		return true
	case "index", "unique", "exclusion", "primary key", "foreign key", "default":
		return wrongName(err)
	}
	return false
}

// broken says that rows break a foreign key.
func broken(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503"
}

// wrongName says that an error is about a statement and not about rows.
func wrongName(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "42") || strings.HasPrefix(pg.Code, "3F"))
}

func (t *target) hasSchema(ctx context.Context, name string) (there bool, err error) {
	err = t.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", name).Scan(&there)
	return there, err
}

// attemptAmong tries with the search path of the source's users, and the object's own schema.
func (t *target) attemptAmong(ctx context.Context, s statement) error {
	path := t.plan.path
	if schema, _ := database.SplitName(s.object.Table); schema != "" {
		path += ", " + quote(schema)
	}
	return t.attempt(ctx, pathSQL(path), s.sql, pathSQL(""))
}

// pathSQL sets the search path until the transaction ends.
func pathSQL(path string) string {
	return "SELECT pg_catalog.set_config('search_path', " + literal(path) + ", true)"
}

// attempt runs statements in a savepoint. The server is asked to parse each by itself, which
// refuses a text that is more than one.
func (t *target) attempt(ctx context.Context, statements ...string) error {
	if _, err := t.conn.Exec(ctx, "SAVEPOINT packstone"); err != nil {
		return err
	}
	for _, sql := range statements {
		if _, err := t.conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Close(); err != nil {
			_, undo := t.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT packstone; RELEASE SAVEPOINT packstone")
			return errors.Join(err, undo)
		}
	}
	_, err := t.conn.Exec(ctx, "RELEASE SAVEPOINT packstone")
	return err
}

// translate is translateWritten where a connection that is gone counts as a server that is: what
// the client library says of it is an error without a name.
func (t *target) translate(err error) error {
	translated := translateWritten(err)
	if err != nil && t.conn.IsClosed() && !errors.Is(translated, database.ErrUnreachable) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	}
	return translated
}

// searchPath sets the path for what follows: domains' checks may call functions that need it.
func (t *target) searchPath(ctx context.Context, path string) error {
	if _, err := t.conn.Exec(ctx, pathSQL(path)); err != nil {
		return fmt.Errorf("set the search path: %w", t.translate(err))
	}
	return nil
}

// Finish builds keys and indexes and sets counters.
func (t *target) Finish(ctx context.Context, p *database.Plan, r *database.Report) ([]database.Finding, error) {
	if t.several != nil {
		return t.buildAll(ctx, p, r)
	}
	t.catalog = nil
	if err := t.searchPath(ctx, ""); err != nil {
		return nil, err
	}
	findings, err := t.run(ctx, t.plan.finish)
	if err != nil {
		return findings, err
	}
	return findings, t.setCounters(ctx, p)
}

// Conclude makes what evaluates expressions, and what says who may see which rows: nothing of ours
// reads them any more.
func (t *target) Conclude(ctx context.Context, p *database.Plan) ([]database.Finding, error) {
	if t.several != nil {
		return t.conclude(ctx, p)
	}
	return t.run(ctx, t.plan.last)
}

// setCounters restores every sequence; where the target has its own behind a
// column, that one goes on where the source's was.
func (t *target) setCounters(ctx context.Context, p *database.Plan) error {
	for _, q := range p.Source.Sequences {
		name := "'" + strings.ReplaceAll(qualified(q.Schema, q.Name), "'", "''") + "'"
		if !p.Native {
			name = counterOf(p, q)
		}
		made := p.Detail.(*plan).made[database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}]
		if name == "" || p.Native && !made {
			continue
		}
		last, called := q.Last, q.Called
		if !p.Native && (last > q.Max || last < q.Min) { // it has given out its last value
			last, called = min(max(last, q.Min), q.Max), true
		}
		sql := fmt.Sprintf("SELECT pg_catalog.setval(%s, %d, %t)", name, last, called)
		if _, err := t.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set sequence %s: %w", q.ID(), t.translate(err))
		}
	}
	return nil
}

// counterOf names the sequence behind a column, or a free one; empty if the
// target has none.
func counterOf(p *database.Plan, q *database.Sequence) string {
	for _, t := range p.Tables {
		for i, c := range t.Source.Columns {
			if c.Identity != nil && c.Identity.Sequence == q.ID() {
				table := qualified(t.Target.Schema, t.Target.Name)
				return "pg_catalog.pg_get_serial_sequence(" + literal(table) + ", " + literal(t.Target.Columns[i].Name) + ")"
			}
		}
	}
	if q.OwnerTable != "" {
		return ""
	}
	return literal(p.Detail.(*plan).sequences[q.ID()])
}

// Commit ends the transaction.
func (t *target) Commit(ctx context.Context) error {
	if !t.began {
		return nil
	}
	if _, err := t.conn.Exec(ctx, "COMMIT"); err != nil {
		return t.at.Wrap("commit to", t.translate(err))
	}
	t.done = true
	return nil
}

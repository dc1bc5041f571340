package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// markTable notes what an import makes, so that it can be taken back.
const markTable = "_packstone_import"

// target fills a schema. Oracle commits at every DDL, so what was made is
// dropped when the import does not end well.
type target struct {
	db       *sql.DB
	conn     *sql.Conn
	schema   string // as the URL names it
	server   server
	leftover bool // an earlier import's leavings may be dropped
	catalog  *catalog
	made     []made
	done     bool
}

// made is an object that we have begun to make.
type made struct{ kind, name string }

func openTarget(ctx context.Context, db *sql.DB, schema string, opts database.TargetOptions) (*target, error) {
	conn, err := session(ctx, db, schema)
	if err != nil {
		return nil, err
	}
	server, err := identify(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, translate(err)
	}
	return &target{db: db, conn: conn, schema: schema, server: server, leftover: opts.EmptyLeftover}, nil
}

// Schema reads the target's catalog as it is now.
func (t *target) Schema(ctx context.Context) (*database.Schema, error) {
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	return t.catalog.schema(database.Filter{}), nil
}

func (t *target) read(ctx context.Context) (err error) {
	t.catalog, err = readCatalog(ctx, t.conn, t.server)
	return err
}

// Rows reads a planned table back.
func (t *target) Rows(ctx context.Context, table *database.Table, send func(*database.Batch) error) error {
	if t.catalog == nil {
		if err := t.read(ctx); err != nil {
			return err
		}
	}
	from := quote(t.server.owner) + "." + quote(table.Name) + " t"
	return readRows(ctx, t.conn, t.catalog, table, from, send)
}

// Plan replays an Oracle source's own objects; any other schema is mapped.
func (t *target) Plan(_ context.Context, s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
	if s.Engine != database.Oracle || opts.NoNativeDDL || opts.HandedOver {
		return dialect(t.server).Map(s, opts).Plan, nil
	}
	p := dialect(t.server).Replay(s, sidecarOnly)
	if s.Namespace != t.server.owner {
		move(p, s.Namespace, t.server.owner)
	}
	for _, q := range s.Sequences {
		if q.OwnerTable != "" {
			p.Findings = append(p.Findings, database.Finding{Object: database.ObjectID{Kind: "sequence", Name: q.Name}, Status: database.Exact})
		}
	}
	return p, nil
}

// Create refuses a schema that holds something, then makes tables.
func (t *target) Create(ctx context.Context, p *database.Plan) error {
	if err := t.clearLeftover(ctx); err != nil {
		return err
	}
	if err := t.refuseNonEmpty(ctx); err != nil {
		return err
	}
	t.made = append(t.made, made{"TABLE", markTable})
	sql := "CREATE TABLE " + quote(markTable) + " (position NUMBER NOT NULL, kind VARCHAR2(30) NOT NULL, name VARCHAR2(128) NOT NULL)"
	if _, err := t.conn.ExecContext(ctx, sql); err != nil {
		return fmt.Errorf("note the import: %w", translate(err))
	}
	findings, err := t.run(ctx, p.Detail.(*ddl.Steps).Create)
	p.Findings = append(p.Findings, findings...)
	return err
}

const contentSQL = `SELECT o.object_type, o.object_name FROM all_objects o WHERE o.owner = :1 AND o.object_type NOT IN ('INDEX', 'LOB', 'DATABASE LINK') AND o.generated = 'N' AND ROWNUM <= 4`

func (t *target) refuseNonEmpty(ctx context.Context) error {
	var found []string
	err := sqlengine.Each(ctx, t.conn, contentSQL, func(row []string) error {
		found = append(found, strings.ToLower(row[0])+" "+row[1])
		return nil
	}, t.server.owner)
	if err != nil {
		return fmt.Errorf("look into schema %s: %w", t.server.owner, translate(err))
	}
	if len(found) == 0 {
		return nil
	}
	if slices.Contains(found, "table "+markTable) {
		return fmt.Errorf("import into schema %s: %w: %w (its table %s lists it)", t.server.owner, database.ErrNotEmpty, database.ErrLeftover, markTable)
	}
	return fmt.Errorf("import into schema %s: %w: it holds %s", t.server.owner, database.ErrNotEmpty, strings.Join(found, ", "))
}

// clearLeftover drops what an import that was killed has noted, if asked to.
func (t *target) clearLeftover(ctx context.Context) error {
	if !t.leftover {
		return nil
	}
	var list []made
	err := sqlengine.Each(ctx, t.conn, "SELECT kind, name FROM "+quote(markTable)+" ORDER BY position", func(row []string) error {
		list = append(list, made{row[0], row[1]})
		return nil
	})
	if number(err) == errNoTable {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what an earlier import has left: %w", translate(err))
	}
	list = append([]made{{"TABLE", markTable}}, list...)
	return dropAll(ctx, t.conn, list)
}

// note writes down an object before it is made.
func (t *target) note(ctx context.Context, m made) error {
	if slices.Contains(t.made, m) {
		return nil
	}
	t.made = append(t.made, m)
	_, err := t.conn.ExecContext(ctx, "INSERT INTO "+quote(markTable)+" (position, kind, name) VALUES (:1, :2, :3)", len(t.made), m.kind, m.name)
	if err != nil {
		return fmt.Errorf("note %s %s: %w", strings.ToLower(m.kind), m.name, translate(err))
	}
	return nil
}

// madeBy says what a statement makes that must be dropped by itself; ok is false
// for what goes with its table.
func madeBy(s ddl.Statement) (made, bool) {
	head := strings.TrimPrefix(strings.TrimPrefix(s.SQL, "CREATE "), "OR REPLACE ")
	head = strings.TrimPrefix(strings.TrimPrefix(head, "FORCE "), "EDITIONABLE ")
	switch s.Object.Kind {
	case "table", "temporary table":
		return made{"TABLE", nameIn(head, s.Object.Name)}, strings.HasPrefix(s.SQL, "CREATE")
	case "sequence", "view", "materialized view", "synonym", "type", "function", "procedure", "package":
		return made{strings.ToUpper(s.Object.Kind), nameIn(head, s.Object.Name)}, strings.HasPrefix(strings.ToUpper(s.SQL), "CREATE")
	}
	return made{}, false
}

// nameIn is the first quoted name of a statement, which is what it makes; code
// may name it without quotes, or with its schema.
func nameIn(head, otherwise string) string {
	_, rest, ok := strings.Cut(head, `"`)
	name, after, closed := strings.Cut(rest, `"`)
	if strings.HasPrefix(after, ".") {
		return otherwise
	}
	if !ok || !closed || name == "" || strings.ContainsAny(strings.SplitN(head, `"`, 2)[0], "(,=;\n") {
		return otherwise
	}
	return name
}

// run executes statements. A failure of one that is not vital is a finding.
func (t *target) run(ctx context.Context, statements []ddl.Statement) ([]database.Finding, error) {
	var findings []database.Finding
	for _, s := range statements {
		if m, ok := madeBy(s); ok {
			if err := t.note(ctx, m); err != nil {
				return findings, err
			}
		}
		_, err := t.conn.ExecContext(ctx, s.SQL)
		switch {
		case err == nil:
		case s.Vital || lost(err) || ctx.Err() != nil:
			return findings, fmt.Errorf("create %s: %w", s.Object, translate(err))
		default:
			findings = append(findings, database.Finding{Object: s.Object, Status: database.Dropped, Code: database.CodeRefused, Reason: err.Error()})
		}
	}
	return findings, nil
}

// Load fills a table in a transaction.
func (t *target) Load(ctx context.Context, p *database.PlannedTable, next func() (*database.Batch, error)) error {
	if t.catalog == nil {
		if err := t.read(ctx); err != nil {
			return err
		}
	}
	raw := t.catalog.table(p.Target.Name)
	if raw == nil {
		return fmt.Errorf("table %s is not in the catalog", p.Target.ID())
	}
	// database/sql would give up the connection with a cancelled transaction.
	tx, err := t.conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translate(err))
	}
	l, err := newLoader(tx, raw, p.Target)
	if err == nil {
		err = l.load(ctx, next)
	}
	if err != nil {
		return errors.Join(err, sqlengine.IgnoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit the rows: %w", translate(err))
	}
	return nil
}

// Finish builds keys and indexes, sets counters, then replays the rest: code
// that sees the counters comes last.
func (t *target) Finish(ctx context.Context, p *database.Plan, _ *database.Report) ([]database.Finding, error) {
	t.catalog = nil
	steps := p.Detail.(*ddl.Steps)
	findings, err := t.run(ctx, steps.After)
	if err != nil {
		return findings, err
	}
	if err := t.setCounters(ctx, p, steps.Sequences); err != nil {
		return findings, err
	}
	more, err := t.run(ctx, steps.End)
	findings = append(findings, more...)
	if err != nil {
		return findings, err
	}
	invalid, err := t.invalid(ctx, p)
	return append(findings, invalid...), err
}

// setCounters lets every counter go on where the source's was, and lets those
// that refuse values by hand do so from now on.
func (t *target) setCounters(ctx context.Context, p *database.Plan, sequences map[string]string) error {
	for _, q := range p.Source.Sequences {
		name, ok := sequences[q.ID()]
		if !ok {
			continue
		}
		if err := t.setSequence(ctx, name, q); err != nil {
			return fmt.Errorf("set sequence %s: %w", q.ID(), translate(err))
		}
	}
	for _, table := range p.Tables {
		for _, c := range table.Target.Columns {
			if c.Identity == nil {
				continue
			}
			if err := t.setIdentity(ctx, table.Target, c.Name, c.Identity, p.Source); err != nil {
				return fmt.Errorf("set the counter of %s.%s: %w", table.Target.ID(), c.Name, translate(err))
			}
		}
	}
	return nil
}

// setSequence restarts a sequence; releases before 18 cannot, and make it anew.
func (t *target) setSequence(ctx context.Context, name string, q *database.Sequence) error {
	if t.server.release >= 1800 {
		_, err := t.conn.ExecContext(ctx, fmt.Sprintf("ALTER SEQUENCE %s RESTART START WITH %d", name, q.Next()))
		return err
	}
	if _, err := t.conn.ExecContext(ctx, "DROP SEQUENCE "+name); err != nil {
		return err
	}
	_, err := t.conn.ExecContext(ctx, sequenceSQL(name, q))
	return err
}

func (t *target) setIdentity(ctx context.Context, table *database.Table, column string, id *database.Identity, s *database.Schema) error {
	how, options := "BY DEFAULT", ""
	if id.Always {
		how = "ALWAYS"
	}
	if q := s.Sequence(id.Sequence); q != nil {
		options = fmt.Sprintf(" (START WITH %d)", q.Next())
	}
	_, err := t.conn.ExecContext(ctx, "ALTER TABLE "+quote(table.Name)+" MODIFY ("+quote(column)+" GENERATED "+how+" AS IDENTITY"+options+")")
	return err
}

const invalidSQL = `SELECT o.object_type, o.object_name FROM all_objects o WHERE o.owner = :1 AND o.status = 'INVALID' ORDER BY 1, 2`

// invalid names objects that were made but do not compile: Oracle reports that
// as a warning, which no client sees.
func (t *target) invalid(ctx context.Context, p *database.Plan) ([]database.Finding, error) {
	if !p.Native {
		return nil, nil
	}
	if _, err := t.conn.ExecContext(ctx, "BEGIN DBMS_UTILITY.COMPILE_SCHEMA(SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'), FALSE); EXCEPTION WHEN OTHERS THEN NULL; END;"); lost(err) {
		return nil, translate(err)
	}
	var out []database.Finding
	err := sqlengine.Each(ctx, t.conn, invalidSQL, func(row []string) error {
		for _, o := range p.Source.Objects {
			if strings.EqualFold(o.Kind, row[0]) && o.Name == row[1] {
				out = append(out, database.Finding{Object: o.ObjectID, Status: database.Approximated, Code: database.CodeMadeOther, Reason: "it is there, but does not compile"})
			}
		}
		return nil
	}, t.server.owner)
	return out, translate(err)
}

// Commit forgets what was noted.
func (t *target) Commit(ctx context.Context) error {
	if len(t.made) == 0 {
		return nil
	}
	if _, err := t.conn.ExecContext(ctx, "DROP TABLE "+quote(markTable)+" PURGE"); err != nil {
		return fmt.Errorf("commit to schema %s: %w", t.server.owner, translate(err))
	}
	t.done = true
	return nil
}

// cleanTime is how long Close tries to drop what was made.
const cleanTime = 5 * time.Minute

// Close drops what was made and not committed, on a new connection where the old
// one is lost, and disconnects.
func (t *target) Close() error {
	var cleaned error
	if len(t.made) > 0 && !t.done {
		ctx, cancel := context.WithTimeout(context.Background(), cleanTime)
		defer cancel()
		cleaned = t.clean(ctx)
	}
	return errors.Join(cleaned, sqlengine.IgnoreDone(t.conn.Close()), t.db.Close())
}

func (t *target) clean(ctx context.Context) error {
	err := dropAll(ctx, t.conn, t.made)
	if lost(err) {
		t.conn.Close()
		var conn *sql.Conn
		if conn, err = session(ctx, t.db, t.schema); err == nil {
			t.conn = conn
			err = dropAll(ctx, conn, t.made)
		}
	}
	if err != nil {
		return fmt.Errorf("schema %s holds what a failed import has made; import again and let it clear that: %w", t.server.owner, translate(err))
	}
	return nil
}

// dropAll drops objects, the latest first and the notes last. What is not there
// is no error.
func dropAll(ctx context.Context, conn *sql.Conn, list []made) error {
	for _, m := range slices.Backward(list) {
		sql := "DROP " + m.kind + " " + quote(m.name)
		switch m.kind {
		case "TABLE":
			sql += " CASCADE CONSTRAINTS PURGE"
		case "TYPE":
			sql += " FORCE"
		}
		_, err := conn.ExecContext(ctx, sql)
		switch number(err) {
		case errNoTable, errNoObject, errNoSequence, errNoMView, errNoSynonym:
			continue
		}
		if err != nil {
			return fmt.Errorf("drop %s %s: %w", strings.ToLower(m.kind), m.name, err)
		}
	}
	return nil
}

package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqlite/btree"
)

// target writes a file under a temporary name and gives it its own on commit.
type target struct {
	path     string
	dir      string  // where long cells go
	aside    *asides // once rows are read
	folder   *Folder // until Commit
	partial  string
	portable bool
	conn     *sqlite3.Conn
	pages    *btree.File // while tables are written page by page, and conn is closed
	whole    *whole      // once all is written
	mu       sync.Mutex
	layout   *layout
	from     *database.Schema
	exact    map[string]map[exactKey]bool // by table name
	living   bool                         // the file at path is written to itself, in one transaction
	began    bool                         // that transaction
	beside   bool                         // tables are made beside those that are there
	staged   int                          // tables that wait to be put back
}

// OpenTarget prepares to write a file, or to compare with one that is there.
func (d Driver) OpenTarget(ctx context.Context, at database.Location, opts database.TargetOptions) (database.Target, error) {
	t := &target{path: at.Reveal(), dir: opts.Aside, portable: d.Portable, exact: map[string]map[exactKey]bool{}}
	filled, err := fileState(t.path)
	if err != nil {
		return nil, at.Wrap("open", err)
	}
	if filled {
		if t.conn, err = open(ctx, t.path, readOnly); err != nil {
			return nil, at.Wrap("open", translate(err))
		}
	}
	return t, nil
}

// Plan lays the file out.
func (t *target) Plan(_ context.Context, s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
	if opts.Beside {
		return t.planBeside(s)
	}
	p := portable(s)
	if s.Engine == database.SQLite && !opts.NoNativeDDL && !t.portable {
		var err error
		if p, err = native(s); err != nil {
			return nil, err
		}
	}
	t.layout, t.from = p.Detail.(*layout), s
	return p, nil
}

// pragmas for a file that no one else sees until it is whole.
var pragmas = []string{
	"PRAGMA page_size = 8192", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA locking_mode = EXCLUSIVE",
	"PRAGMA cache_size = -32768", "PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON", "PRAGMA encoding = 'UTF-8'",
}

// cacheOfIndexes is smaller: an index is sorted in as much memory again, and then filled in order.
const cacheOfIndexes = "PRAGMA cache_size = -8192"

// Create refuses a file that holds something and makes the tables.
func (t *target) Create(ctx context.Context, p *database.Plan) error {
	if t.beside {
		return t.createBeside(ctx)
	}
	if err := t.Vacant(ctx); err != nil {
		return err
	}
	folder, err := NewFolder(filepath.Dir(t.path), "."+filepath.Base(t.path)+".partial-")
	if err != nil {
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	t.folder, t.partial = folder, folder.File(filepath.Base(t.path))
	if err := t.openPartial(ctx); err != nil {
		return err
	}
	return t.createTables()
}

// openPartial opens the file that no one else sees, and begins a transaction.
func (t *target) openPartial(ctx context.Context) (err error) {
	if t.conn, err = open(ctx, t.partial, create); err != nil {
		return fmt.Errorf("write %s: %w", t.path, translate(err))
	}
	for _, sql := range append(pragmas, "BEGIN") {
		if err := t.conn.Exec(sql); err != nil {
			return fmt.Errorf("prepare %s: %w", t.path, translate(err))
		}
	}
	return nil
}

// closePartial ends the transaction.
func (t *target) closePartial() error {
	err := t.conn.Exec("COMMIT")
	err = errors.Join(err, t.conn.Close())
	t.conn = nil
	if err != nil {
		return fmt.Errorf("write %s: %w", t.path, translate(err))
	}
	return nil
}

func (t *target) createTables() error {
	for _, l := range t.layout.tables {
		if err := executeOne(t.conn, l.create); err != nil {
			return fmt.Errorf("create table %s: %w", l.name, err)
		}
	}
	return nil
}

func (l *layout) find(name string) *tableLayout {
	for _, t := range l.tables {
		if t.planned.Target.Name == name {
			return t
		}
	}
	return nil
}

// Finish builds indexes, tries checks and foreign keys on the rows, sets
// counters, and writes what stands beside the data.
func (t *target) Finish(ctx context.Context, p *database.Plan, r *database.Report) (findings []database.Finding, err error) {
	if err := t.bySQL(ctx); err != nil {
		return nil, err
	}
	if err := t.conn.Exec(cacheOfIndexes); err != nil {
		return nil, translate(err)
	}
	err = guard(func() error {
		findings, err = t.finish(p, r)
		return err
	})
	if err != nil || t.beside {
		return findings, err
	}
	return findings, t.complete(ctx)
}

func (t *target) finish(p *database.Plan, r *database.Report) ([]database.Finding, error) {
	if err := t.buildKeys(); err != nil {
		return nil, err
	}
	findings := t.buildLate()
	dropped, err := t.tryChecks()
	findings = append(findings, dropped...)
	if err != nil {
		return findings, err
	}
	broken, err := t.tryForeignKeys(p)
	findings = append(findings, broken...)
	if err != nil {
		return findings, err
	}
	if err := t.setCounters(p); err != nil {
		return findings, err
	}
	if t.beside || t.layout.native {
		return findings, nil
	}
	return findings, t.writeBeside(p, r, findings)
}

// buildLate builds indexes; one that SQLite refuses is a finding.
func (t *target) buildLate() []database.Finding {
	var findings []database.Finding
	for _, o := range t.layout.late {
		if err := executeOne(t.conn, o.sql); err != nil {
			findings = append(findings, database.Finding{Object: o.id, Status: database.SidecarOnly, Code: database.CodeRefused, Reason: "SQLite refuses it: " + err.Error()})
		}
	}
	return findings
}

// tryChecks takes back a check that rows do not meet: the source has proved
// them, so it means something else here.
func (t *target) tryChecks() ([]database.Finding, error) {
	var findings []database.Finding
	for _, l := range t.layout.tables {
		for _, c := range l.checks {
			broken := int64(0)
			err := query(t.conn, "SELECT count(*) FROM "+quote(l.name)+" WHERE NOT ("+c.sql+")", func(s *sqlite3.Stmt) error {
				broken = s.ColumnInt64(0)
				return nil
			})
			if err == nil && broken == 0 {
				continue
			}
			if err := t.dropClause(l, c.clause); err != nil {
				return findings, fmt.Errorf("take back %s: %w", c.id, err)
			}
			findings = append(findings, database.Finding{Object: c.id, Status: database.SidecarOnly, Code: database.CodeCheckJudges, Reason: "SQLite judges rows differently", Count: broken})
		}
	}
	return findings, nil
}

// dropClause removes a clause from a table's definition.
func (t *target) dropClause(l *tableLayout, clause string) error {
	l.create = strings.Replace(l.create, clause, "", 1)
	if err := t.conn.Exec("PRAGMA writable_schema = ON"); err != nil {
		return err
	}
	if err := execute(t.conn, "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", l.create, l.name); err != nil {
		return err
	}
	return t.conn.Exec("PRAGMA writable_schema = RESET")
}

// tryForeignKeys looks for rows without a parent. There may be some where the source has them, or
// takes more for equal than SQLite does; any other is an error.
func (t *target) tryForeignKeys(p *database.Plan) ([]database.Finding, error) {
	var findings []database.Finding
	for _, l := range t.layout.tables {
		counts := make([]int64, len(l.foreign))
		err := t.orphans(l, func(key int, row int64, parent string) error {
			if counts[key]++; loose(p.Source, l, key).Code == "" {
				return fmt.Errorf("%w: row %d of table %s refers to no row of %s", database.ErrValue, row, l.name, parent)
			}
			return nil
		})
		if err != nil {
			return findings, err
		}
		for key, n := range counts {
			if f := loose(p.Source, l, key); n > 0 {
				l.foreign[key].NotValid = true
				f.Object, f.Count = l.planned.Source.Part("foreign key", l.foreign[key].Name), n
				findings = append(findings, f)
			}
		}
	}
	return findings, nil
}

// orphans finds rows of a table that break a foreign key. A key that refers to nothing unique, as
// the source's may, cannot be looked at.
func (t *target) orphans(l *tableLayout, each func(key int, row int64, parent string) error) error {
	if len(l.foreign) == 0 {
		return nil
	}
	err := query(t.conn, "SELECT fkid, rowid, parent FROM pragma_foreign_key_check("+text(l.name)+")", func(s *sqlite3.Stmt) error {
		return each(len(l.foreign)-1-int(s.ColumnInt64(0)), s.ColumnInt64(1), s.ColumnText(2)) // SQLite numbers them from the last
	})
	if err != nil && t.layout.native && strings.Contains(err.Error(), "foreign key mismatch") {
		return nil
	}
	return err
}

// loose is what to say where rows break a foreign key; nothing where they must not.
func loose(source *database.Schema, l *tableLayout, key int) database.Finding {
	k := l.foreign[key]
	if k.NotValid || k.MatchFull {
		return database.Finding{Status: database.Approximated, Code: database.CodeOrphans, Reason: "rows without a parent, as in the source"}
	}
	return ddl.Loose(source, l.planned.Source, k)
}

// setCounters makes the next id what the source's would be.
func (t *target) setCounters(p *database.Plan) error {
	for _, l := range t.layout.tables {
		if l.counter == nil {
			continue
		}
		q := p.Source.Sequence(l.counter.ID())
		if q == nil {
			continue
		}
		if err := execute(t.conn, "DELETE FROM sqlite_sequence WHERE name = ?", l.name); err != nil {
			return err
		}
		if err := execute(t.conn, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", l.name, q.Next()-1); err != nil {
			return fmt.Errorf("set the counter of %s: %w", l.name, err)
		}
	}
	return nil
}

// Schema reads what the file holds, as any SQLite file.
func (t *target) Schema(context.Context) (*database.Schema, error) {
	if t.conn == nil {
		return &database.Schema{Engine: database.SQLite}, nil
	}
	s, _, err := inspect(t.conn, database.Filter{}, false, nil)
	if err != nil {
		return nil, err
	}
	s.Findings, err = t.recorded()
	return s, err
}

// recorded reads what an export said to be inexact.
func (t *target) recorded() (findings []database.Finding, err error) {
	has, err := hasTable(t.conn, reservedPrefix+"object")
	if err != nil || !has {
		return nil, err
	}
	err = query(t.conn, "SELECT kind, object, status, code, reason FROM _packstone_object WHERE status <> 'exact'", func(s *sqlite3.Stmt) error {
		name := strings.TrimPrefix(s.ColumnText(1), s.ColumnText(0)+" ")
		findings = append(findings, database.Finding{
			Object: database.ObjectID{Kind: s.ColumnText(0), Name: name}, Status: database.Status(s.ColumnText(2)), Code: database.Code(s.ColumnText(3)), Reason: s.ColumnText(4),
		})
		return nil
	})
	return findings, err
}

// Rows reads a planned table.
func (t *target) Rows(ctx context.Context, table *database.Table, send func(*database.Batch) error) error {
	l := t.layout.find(table.Name)
	if l == nil || t.conn == nil && t.whole == nil {
		return fmt.Errorf("table %s is not in %s", table.Name, t.path)
	}
	if t.whole != nil {
		return t.whole.rows(ctx, t, l, send)
	}
	if t.aside == nil {
		var err error
		if t.aside, err = newAsides(t.conn, t.dir); err != nil {
			return err
		}
	}
	r := &reading{table: l.name, columns: l.columns, rowid: l.rowid, aside: t.aside}
	if t.beside {
		return r.stream(ctx, t.conn, &t.mu, send)
	}
	var err error
	if r.exact, err = readExact(t.conn, l.name); err != nil {
		return err
	}
	return r.stream(ctx, t.conn, &t.mu, send)
}

// readExact loads the entries of _packstone_exact for a table.
func readExact(conn *sqlite3.Conn, table string) (map[exactKey]bool, error) {
	has, err := hasTable(conn, reservedPrefix+"exact")
	if err != nil || !has {
		return nil, err
	}
	out := map[exactKey]bool{}
	err = query(conn, "SELECT row, col FROM _packstone_exact WHERE value = '-0.0' AND tbl = "+text(table), func(s *sqlite3.Stmt) error {
		out[exactKey{s.ColumnInt64(0), int(s.ColumnInt64(1))}] = true
		return nil
	})
	return out, err
}

func hasTable(conn *sqlite3.Conn, name string) (found bool, err error) {
	err = query(conn, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = "+text(name), func(*sqlite3.Stmt) error {
		found = true
		return nil
	})
	return found, err
}

// Commit checks the file, makes it durable and gives it its name.
func (t *target) Commit(context.Context) error {
	if t.living {
		return t.commitLiving()
	}
	if t.partial == "" {
		return nil
	}
	written := t.whole
	t.whole = nil
	if err := written.end(); err != nil {
		return fmt.Errorf("check %s: %w", t.path, err)
	}
	if err := syncFile(t.partial); err != nil {
		return fmt.Errorf("sync %s: %w", t.path, err)
	}
	if err := publish(t.partial, t.path); err != nil {
		return fmt.Errorf("name %s: %w", t.path, err)
	}
	t.partial = ""
	return errors.Join(t.removeFolder(), syncFile(filepath.Dir(t.path)))
}

// publish gives the file its name without replacing another one; an empty file
// that waits there is replaced.
func publish(partial, path string) error {
	filled, err := fileState(path)
	if err != nil {
		return err
	}
	if filled {
		return fmt.Errorf("%w: the file appeared meanwhile", database.ErrNotEmpty)
	}
	if err := os.Chmod(partial, 0o600); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// Check looks for damage in the file and for rows without a parent.
func (t *target) Check(context.Context) error {
	if t.conn == nil {
		return nil
	}
	if err := integrity(t.conn, "integrity_check"); err != nil {
		return fmt.Errorf("check %s: %w", t.path, err)
	}
	if t.layout == nil {
		return nil
	}
	for _, l := range t.layout.tables {
		err := t.orphans(l, func(key int, _ int64, parent string) error {
			if loose(t.from, l, key).Code != "" {
				return nil
			}
			return fmt.Errorf("check %s: %w: a row of table %s refers to no row of %s", t.path, database.ErrMismatch, l.name, parent)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func integrity(conn *sqlite3.Conn, pragma string) error {
	return query(conn, "PRAGMA "+pragma+"(1)", func(s *sqlite3.Stmt) error {
		if result := s.ColumnText(0); result != "ok" {
			return fmt.Errorf("%w: %s", database.ErrMismatch, result)
		}
		return nil
	})
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Close drops an unfinished file.
func (t *target) Close() error {
	err := t.closePages()
	if t.conn != nil {
		err = errors.Join(err, t.conn.Close())
		t.conn = nil
	}
	if t.whole != nil {
		t.whole.stop()
		_ = t.whole.end() // nobody wants to know any more
		t.whole = nil
	}
	t.partial = ""
	return errors.Join(err, t.removeFolder())
}

func (t *target) removeFolder() error {
	if t.folder == nil {
		return nil
	}
	folder := t.folder
	t.folder = nil
	return folder.Remove()
}

const besideDDL = `
CREATE TABLE _packstone_exact (tbl TEXT NOT NULL, col INTEGER NOT NULL, row INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (tbl, col, row)) WITHOUT ROWID;
CREATE TABLE _packstone_meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
CREATE TABLE _packstone_column (source_table TEXT NOT NULL, ordinal INTEGER NOT NULL, source_column TEXT, tbl TEXT NOT NULL, col TEXT, encoding TEXT, native_type TEXT, PRIMARY KEY (source_table, ordinal));
CREATE TABLE _packstone_object (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, object TEXT NOT NULL, status TEXT NOT NULL, code TEXT, reason TEXT, values_changed INTEGER, native_ddl TEXT);
CREATE TABLE _packstone_digest (source_table TEXT PRIMARY KEY NOT NULL, tbl TEXT NOT NULL, rows INTEGER NOT NULL, algorithm TEXT NOT NULL, digest TEXT NOT NULL);`

// fileFormat is the version of the layout of our own tables.
const fileFormat = "packstone-sqlite-1"

// writeBeside fills our own tables.
func (t *target) writeBeside(p *database.Plan, r *database.Report, late []database.Finding) error {
	if err := t.conn.Exec(besideDDL); err != nil {
		return fmt.Errorf("create our own tables: %w", err)
	}
	schema, err := json.Marshal(withoutDDL(p.Source))
	if err != nil {
		return fmt.Errorf("store the schema: %w", err)
	}
	for _, pair := range [][2]string{
		{"format", fileFormat}, {"engine", p.Source.Engine}, {"version", p.Source.Version},
		{"moment", r.Moment}, {"schema", string(schema)},
	} {
		if err := execute(t.conn, "INSERT INTO _packstone_meta VALUES (?, ?)", pair[0], pair[1]); err != nil {
			return err
		}
	}
	if err := t.writeExact(); err != nil {
		return err
	}
	if err := t.writeColumns(); err != nil {
		return err
	}
	if err := t.writeObjects(p, append(r.Findings[:len(r.Findings):len(r.Findings)], late...)); err != nil {
		return err
	}
	for _, result := range r.Tables {
		err := execute(t.conn, "INSERT INTO _packstone_digest VALUES (?, ?, ?, ?, ?)", result.Table, result.Target, result.Rows, database.DigestName, result.Written.String())
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutDDL is a schema without the statements, which stand in _packstone_object alone, where
// people can read them.
func withoutDDL(s *database.Schema) *database.Schema {
	out := *s
	out.Objects = make([]*database.Object, len(s.Objects))
	for i, o := range s.Objects {
		bare := *o
		bare.DDL = nil
		out.Objects[i] = &bare
	}
	return &out
}

// writeExact names the cells that hold -0.0.
func (t *target) writeExact() error {
	for name, cells := range t.exact {
		for _, at := range slices.SortedFunc(maps.Keys(cells), exactKey.compare) {
			err := execute(t.conn, "INSERT INTO _packstone_exact VALUES (?, ?, ?, '-0.0')", name, int64(at.column), at.row)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *target) writeColumns() error {
	const sql = "INSERT INTO _packstone_column VALUES (?, ?, ?, ?, ?, ?, ?)"
	for _, l := range t.layout.tables {
		src := l.planned.Source
		if len(l.columns) == 0 {
			if err := execute(t.conn, sql, src.ID(), int64(-1), "", l.name, "", "", ""); err != nil {
				return err
			}
		}
		for i, c := range l.columns {
			err := execute(t.conn, sql, src.ID(), int64(i), src.Columns[i].Name, l.name, c.name, string(c.enc), src.Columns[i].Type.Native)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *target) writeObjects(p *database.Plan, findings []database.Finding) error {
	ddl := map[database.ObjectID]string{}
	for _, o := range p.Source.Objects {
		ddl[o.ObjectID] = strings.Join(o.DDL, ";\n")
	}
	for _, f := range findings {
		err := execute(t.conn, "INSERT INTO _packstone_object (kind, object, status, code, reason, values_changed, native_ddl) VALUES (?, ?, ?, ?, ?, ?, ?)",
			f.Object.Kind, f.Object.String(), string(f.Status), string(f.Code), f.Reason, f.Count, ddl[f.Object])
		if err != nil {
			return err
		}
		delete(ddl, f.Object) // what is found of it later needs it no more
	}
	return nil
}

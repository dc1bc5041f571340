package sqlite

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// planBeside plans tables in a file that is in use.
func (t *target) planBeside(s *database.Schema) (*database.Plan, error) {
	if t.conn == nil {
		return nil, fmt.Errorf("%w: %s is not there, or empty", database.ErrRefused, t.path)
	}
	schema, _, err := inspect(t.conn, database.Filter{}, false, nil)
	if err != nil {
		return nil, err
	}
	d := dialect(s.Engine)
	d.Around = &ddl.Around{Schema: schema}
	err = query(t.conn, "SELECT name FROM sqlite_schema", func(s *sqlite3.Stmt) error {
		d.Around.Tables = append(d.Around.Tables, ddl.Taken{Name: s.ColumnText(0)})
		return nil
	})
	if err != nil {
		return nil, translate(err)
	}
	if s.Engine == database.SQLite && !s.FromFile {
		keepOwn(d, s)
	}
	mapping := d.Map(s, database.PlanOptions{Beside: true})
	p := layOut(s, mapping)
	for _, l := range p.Detail.(*layout).tables {
		l.asOwn(d)
	}
	t.beside, t.layout, t.from = true, p.Detail.(*layout), s
	return p, mapping.Refuse()
}

// keepOwn lets types and expressions of SQLite stay: a schema is never trusted with functions that
// do more than compute. Values are kept as they are.
func keepOwn(d *ddl.Dialect, s *database.Schema) {
	d.Ending = func(t *database.Table) string { return endingOf(s, t) }
	mapped := d.Type
	d.Type = func(a ddl.Asked) ddl.Mapped {
		m := mapped(a)
		m.Code, m.Lost = "", ""
		if own := a.Column.Type; !m.Key {
			if m.SQL = own.Native; own.Collation != "" {
				m.SQL += " COLLATE " + quote(own.Collation)
			}
		}
		return m
	}
	d.Own = func(e database.Expr) bool { return e.Engine == database.SQLite && e.SQL != "" }
	d.Identity = func(q *database.Sequence, _ bool) string {
		if q == nil || q.Type != autoincrementing {
			return ""
		}
		return " AUTOINCREMENT"
	}
}

// createBeside makes the tables in the one transaction.
func (t *target) createBeside(ctx context.Context) error {
	if err := t.openLiving(ctx); err != nil {
		return err
	}
	if err := t.conn.Exec("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin in %s: %w", t.path, translate(err))
	}
	t.began = true
	return t.createTables()
}

// endingOf is how a table of SQLite is kept.
func endingOf(s *database.Schema, t *database.Table) string {
	var out []string
	for _, o := range s.Objects {
		if o.ObjectID != t.ObjectID() || len(o.DDL) == 0 {
			continue
		}
		if withoutRowid.MatchString(o.DDL[0]) {
			out = append(out, "WITHOUT ROWID")
		}
		if isStrict.MatchString(o.DDL[0]) {
			out = append(out, "STRICT")
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " " + strings.Join(out, ", ")
}

var isStrict = regexp.MustCompile(`(?is)\)[^)]*\bSTRICT\b[^)]*$`)

// asOwn lays a table out as SQLite's own are.
func (l *tableLayout) asOwn(d *ddl.Dialect) {
	if d.Ending == nil {
		return
	}
	l.rowid = !withoutRowid.MatchString(l.create)
	if l.counter != nil && l.counter.Type != autoincrementing {
		l.counter = nil
	}
	for i, c := range l.planned.Source.Columns {
		l.columns[i].enc = nativeEncoding(c.Type)
	}
}

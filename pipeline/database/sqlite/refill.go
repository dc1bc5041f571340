package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Refiller = (*target)(nil)

// Stage makes a temporary table. The first one opens the file for writing.
func (t *target) Stage(ctx context.Context, living *database.Table, columns []*database.Column) (*database.Staged, error) {
	if err := t.openLiving(ctx); err != nil {
		return nil, err
	}
	t.staged++
	s := &database.Staged{Living: living, Columns: columns, Name: fmt.Sprintf("packstone_staged_%d", t.staged)}
	err := t.conn.Exec("CREATE TEMP TABLE " + quote(s.Name) + " AS SELECT " + listed("", s.Names()) + " FROM main." + quote(living.Name) + " WHERE 0")
	return s, translate(err)
}

// openLiving opens a file that is in use for writing. Its schema is trusted no more than when it
// is read; foreign keys are held to.
func (t *target) openLiving(ctx context.Context) error {
	if t.living {
		return nil
	}
	if t.conn == nil {
		return fmt.Errorf("%w: %s is not there, or empty", database.ErrRefused, t.path)
	}
	if err := t.conn.Close(); err != nil {
		return translate(err)
	}
	var err error
	if t.conn, err = open(ctx, t.path, readWrite); err != nil {
		return fmt.Errorf("open %s: %w", t.path, translate(err))
	}
	t.living = true
	return errors.Join(distrust(t.conn), t.conn.Exec("PRAGMA foreign_keys = ON; PRAGMA temp_store = FILE"))
}

// Fill inserts rows into the temporary table.
func (t *target) Fill(_ context.Context, s *database.Staged, next func() (*database.Batch, error)) error {
	l := stagedLayout(s)
	stmt, _, err := t.conn.Prepare(l.insert())
	if err != nil {
		return translate(err)
	}
	defer stmt.Close()
	w := newRowWriter(t, l, stmt)
	return database.EachBatch(func() (*database.Batch, error) {
		b, err := next()
		if err != nil {
			return nil, err
		}
		return b.Whole()
	}, func(b *database.Batch) error {
		return guard(func() error { return w.batch(b, 0) })
	})
}

// stagedLayout is how the columns of a living table are read and written. A table without row
// numbers keeps no note of minus zero, which such a table cannot hold.
func stagedLayout(s *database.Staged) *tableLayout {
	table := s.Table("")
	l := &tableLayout{planned: &database.PlannedTable{Source: table, Target: table}, name: s.Name}
	for _, c := range s.Columns {
		l.columns = append(l.columns, columnLayout{name: c.Name, enc: nativeEncoding(c.Type)})
	}
	return l
}

// StagedRows reads the temporary table.
func (t *target) StagedRows(ctx context.Context, s *database.Staged, send func(*database.Batch) error) error {
	l := stagedLayout(s)
	r := &reading{table: l.name, columns: l.columns}
	return r.stream(ctx, t.conn, &t.mu, send)
}

// Missing counts rows whose key the living table lacks.
func (t *target) Missing(_ context.Context, s *database.Staged) (int64, error) {
	return t.count("SELECT count(*) FROM " + lacking(s))
}

func (t *target) count(sql string) (n int64, err error) {
	err = query(t.conn, sql, func(s *sqlite3.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	})
	return n, translate(err)
}

// lacking is the temporary table s without the rows whose key the living table l has.
func lacking(s *database.Staged) string {
	return "temp." + quote(s.Name) + " s WHERE NOT EXISTS (SELECT 1 FROM main." + quote(s.Living.Name) + " l WHERE " + alike("=", s.Key()) + ")"
}

// PutBack inserts what is missing. The first one begins the transaction. Triggers fire.
func (t *target) PutBack(_ context.Context, s *database.Staged, _ bool) (put, altered int64, err error) {
	if !t.began {
		if err := t.conn.Exec("BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON"); err != nil {
			return 0, 0, fmt.Errorf("begin in %s: %w", t.path, translate(err))
		}
		t.began = true
	}
	absent, columns := "temp."+quote(s.Name+"_absent"), listed("", s.Names())
	for _, sql := range []string{
		"CREATE TEMP TABLE " + quote(s.Name+"_absent") + " AS SELECT s.* FROM " + lacking(s),
		"INSERT INTO main." + quote(s.Living.Name) + " (" + columns + ") SELECT " + columns + " FROM " + absent,
	} {
		if err := guard(func() error { return t.conn.Exec(sql) }); err != nil {
			return 0, 0, translate(err)
		}
	}
	if put, err = t.count("SELECT count(*) FROM " + absent); err != nil {
		return 0, 0, err
	}
	altered, err = t.count("SELECT count(*) FROM " + absent + " s LEFT JOIN main." + quote(s.Living.Name) + " l ON " + alike("=", s.Key()) +
		" WHERE NOT (" + alike("IS", s.Names()) + ")")
	return put, altered, err
}

// commitLiving ends the transaction in a file that is in use.
func (t *target) commitLiving() error {
	if !t.began {
		return nil
	}
	if err := t.conn.Exec("COMMIT"); err != nil {
		return fmt.Errorf("commit to %s: %w", t.path, translate(err))
	}
	t.began = false
	return nil
}

// listed quotes names, each with something before it.
func listed(before string, names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = before + quote(name)
	}
	return strings.Join(out, ", ")
}

// alike compares columns of the living table l with those of the temporary one s.
func alike(operator string, names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = "l." + quote(name) + " " + operator + " s." + quote(name)
	}
	return strings.Join(out, " AND ")
}

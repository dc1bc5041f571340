package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Refiller = (*target)(nil)

// temporary is the schema of a session's own tables.
const temporary = "pg_temp"

// Stage makes a temporary table. The first one begins the transaction.
func (t *target) Stage(ctx context.Context, living *database.Table, columns []*database.Column) (*database.Staged, error) {
	if err := t.beginRefill(ctx); err != nil {
		return nil, err
	}
	t.staged++
	s := &database.Staged{Living: living, Columns: columns, Name: fmt.Sprintf("packstone_staged_%d", t.staged)}
	sql := "CREATE TEMPORARY TABLE " + quote(s.Name) + " ON COMMIT DROP AS SELECT " + listed("", s.Names()) + " FROM " + qualified(living.Schema, living.Name) + " WITH NO DATA"
	if _, err := t.conn.Exec(ctx, sql); err != nil {
		return nil, t.at.Wrap("make a temporary table in", t.translate(err))
	}
	return s, nil
}

func (t *target) beginRefill(ctx context.Context) error {
	if t.began {
		return nil
	}
	if t.catalog == nil {
		if _, err := t.Schema(ctx); err != nil {
			return err
		}
	}
	if _, err := t.conn.Exec(ctx, "BEGIN; SET CONSTRAINTS ALL DEFERRED"); err != nil {
		return t.at.Wrap("begin in", t.translate(err))
	}
	t.began = true
	return nil
}

// Fill copies rows into the temporary table.
func (t *target) Fill(ctx context.Context, s *database.Staged, next func() (*database.Batch, error)) error {
	table := s.Table(temporary)
	return t.loadBy(ctx, t.conn, &database.PlannedTable{Source: table, Target: table}, next, false)
}

// StagedRows reads the temporary table by the types of the living one.
func (t *target) StagedRows(ctx context.Context, s *database.Staged, send func(*database.Batch) error) error {
	how, err := t.catalog.reading(&database.Table{Schema: s.Living.Schema, Name: s.Living.Name, Columns: s.Columns}, false)
	if err != nil {
		return err
	}
	how.computed = nil
	return copyOut(ctx, t.conn, how.sql(&relation{Schema: temporary, Name: s.Name}), how.stream(t.aside, send))
}

// Missing counts rows whose key the living table lacks.
func (t *target) Missing(ctx context.Context, s *database.Staged) (int64, error) {
	return t.count(ctx, "SELECT pg_catalog.count(*) FROM "+lacking(s))
}

func (t *target) count(ctx context.Context, sql string) (n int64, err error) {
	if err := t.conn.QueryRow(ctx, sql).Scan(&n); err != nil {
		return 0, t.translate(err)
	}
	return n, nil
}

// lacking is the temporary table s without the rows whose key the living table l has.
func lacking(s *database.Staged) string {
	return qualified(temporary, s.Name) + " s WHERE NOT EXISTS (SELECT FROM " + qualified(s.Living.Schema, s.Living.Name) + " l WHERE " + equal("l", "s", s.Key()) + ")"
}

// PutBack inserts what is missing. Triggers fire, as they do for pg_restore.
func (t *target) PutBack(ctx context.Context, s *database.Staged, trustCode bool) (put, altered int64, err error) {
	absent := qualified(temporary, s.Name+"_absent")
	if _, err := t.conn.Exec(ctx, "CREATE TEMPORARY TABLE "+quote(s.Name+"_absent")+" ON COMMIT DROP AS SELECT s.* FROM "+lacking(s)); err != nil {
		return 0, 0, t.translate(err)
	}
	if trustCode {
		if err := t.usersPath(ctx); err != nil {
			return 0, 0, err
		}
	}
	living, columns := qualified(s.Living.Schema, s.Living.Name), listed("", s.Names())
	if _, err := t.conn.Exec(ctx, "INSERT INTO "+living+" ("+columns+") OVERRIDING SYSTEM VALUE SELECT "+columns+" FROM "+absent); err != nil {
		return 0, 0, t.refused(err)
	}
	if err := t.searchPath(ctx, ""); err != nil {
		return 0, 0, err
	}
	if put, err = t.count(ctx, "SELECT pg_catalog.count(*) FROM "+absent); err != nil {
		return 0, 0, err
	}
	key := "l." + quote(s.Key()[0])
	altered, err = t.count(ctx, "SELECT pg_catalog.count(*) FROM "+absent+" s LEFT JOIN "+living+" l ON "+equal("l", "s", s.Key())+
		" WHERE "+key+" IS NULL OR CAST(ROW("+listed("l.", s.Names())+") AS pg_catalog.text) <> CAST(ROW("+listed("s.", s.Names())+") AS pg_catalog.text)")
	if err != nil {
		return 0, 0, err
	}
	return put, altered, t.passCounters(ctx, s, absent)
}

// refused says of an error about a name what may help.
func (t *target) refused(err error) error {
	if wrongName(err) {
		return fmt.Errorf("%w; code that hangs on the table runs with an empty search_path, as with pg_restore: --trust-code gives it that of the database's users", t.translate(err))
	}
	return t.translate(err)
}

// usersPath sets the search path that the database's users have.
func (t *target) usersPath(ctx context.Context) error {
	path := `"$user", public`
	err := each(ctx, t.conn, `SELECT pg_catalog.substr(c, 13) FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, pg_catalog.unnest(s.setconfig) c
		WHERE d.datname = pg_catalog.current_database() AND s.setrole = 0 AND c LIKE 'search\_path=%'`, []any{&path}, func() error { return nil })
	if err != nil {
		return t.translate(err)
	}
	return t.searchPath(ctx, path)
}

// passCounters moves counters of columns on, past the values that were put back. They never go
// back.
func (t *target) passCounters(ctx context.Context, s *database.Staged, absent string) error {
	for _, c := range s.Columns {
		if c.Identity == nil {
			continue
		}
		var sequence string
		name := "pg_catalog.pg_get_serial_sequence(" + literal(qualified(s.Living.Schema, s.Living.Name)) + ", " + literal(c.Name) + ")"
		if err := t.conn.QueryRow(ctx, "SELECT coalesce("+name+", '')").Scan(&sequence); err != nil {
			return t.translate(err)
		}
		if sequence == "" {
			continue
		}
		sql := "SELECT pg_catalog.setval(" + literal(sequence) + ", x.top) FROM (SELECT pg_catalog.max(" + quote(c.Name) + ") AS top FROM " + absent + ") x, " + sequence + " q WHERE x.top > q.last_value OR x.top = q.last_value AND NOT q.is_called"
		if _, err := t.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("set the counter of column %s: %w", c.Name, t.translate(err))
		}
	}
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

// equal compares columns of two tables.
func equal(a, b string, names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = a + "." + quote(name) + " = " + b + "." + quote(name)
	}
	return strings.Join(out, " AND ")
}

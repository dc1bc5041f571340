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

// attempts is how often a snapshot is begun while others change what it would describe.
const attempts = 10

// open opens the snapshot, anew where somebody has changed meanwhile what was found.
func (s *source) open(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := s.begin(ctx)
		if err == nil || attempt == attempts || !passing(err) {
			return err
		}
		if _, err := s.leader.Exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt) * 20 * time.Millisecond):
		}
	}
}

// begin tries to open the snapshot. A transaction's snapshot is that of its first query, which LOCK
// is none, and the rows of a table that was truncated or rewritten later are not in it, neither the
// old ones nor the new ones. A table for which the locks had to wait may be one, and the next
// attempt locks first what this one has found.
func (s *source) begin(ctx context.Context) (err error) {
	if err = beginReading(ctx, s.leader); err != nil {
		return err
	}
	before := s.locked
	s.locked = nil // if it cannot be locked, it is another table by now
	if err = lock(ctx, s.leader, before); err != nil {
		return err
	}
	if s.catalog, err = readCatalog(ctx, s.leader); err != nil {
		return err
	}
	oids, err := s.lock(ctx)
	if err != nil {
		return err
	}
	if err = s.unmoved(ctx, oids); err != nil {
		return err
	}
	if err = s.leader.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&s.snapshot); err != nil {
		return err
	}
	s.schema, err = s.describe(ctx)
	return err
}

// lock holds all tables that are read against changes of their definition.
func (s *source) lock(ctx context.Context) (oids []uint32, err error) {
	var names []string
	for _, oid := range s.catalog.order {
		if r := s.catalog.relations[oid]; r.isData() && s.filter.Takes("public", r.Schema, r.Name) {
			names, oids = append(names, r.sql()), append(oids, oid)
		}
	}
	if err := lock(ctx, s.leader, names); err != nil {
		return nil, err
	}
	s.locked = names
	return oids, s.unreplaced(ctx, names, oids)
}

func lock(ctx context.Context, conn *pgx.Conn, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS SHARE MODE")
	return err
}

// unreplaced checks that what was locked is what the catalog describes.
func (s *source) unreplaced(ctx context.Context, names []string, oids []uint32) error {
	rows := make([]string, len(names))
	for i, name := range names {
		rows[i] = fmt.Sprintf("(%s, %d::oid)", literal(name), oids[i])
	}
	return s.none(ctx, errReplaced, rows, "SELECT u.name FROM (VALUES %s) u(name, oid) WHERE pg_catalog.to_regclass(u.name) IS DISTINCT FROM u.oid LIMIT 1")
}

// unmoved checks that the rows of what was locked lie where they did for the snapshot.
func (s *source) unmoved(ctx context.Context, oids []uint32) error {
	var rows []string
	for _, oid := range oids {
		for _, leaf := range s.catalog.leaves(s.catalog.relations[oid]) {
			rows = append(rows, fmt.Sprintf("(%d::oid)", leaf.OID))
		}
	}
	return s.none(ctx, errMoved, rows, `SELECT c.relname::text FROM (VALUES %s) u(oid) JOIN pg_catalog.pg_class c ON c.oid = u.oid
		WHERE c.relfilenode <> 0 AND pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode LIMIT 1`)
}

// none runs a query over rows that names a table of which an error tells.
func (s *source) none(ctx context.Context, what error, rows []string, sql string) error {
	if len(rows) == 0 {
		return nil
	}
	var name string
	err := s.leader.QueryRow(ctx, fmt.Sprintf(sql, strings.Join(rows, ", "))).Scan(&name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("table %s: %w", name, what)
}

// errReplaced says that a name no longer means what the snapshot's catalog says.
var errReplaced = errors.New("it was dropped, renamed or replaced while it was to be read: try again")

// errMoved says that a table's rows are not those of the snapshot.
var errMoved = errors.New("it was truncated or rewritten while it was to be read, again and again: try again")

// passing says that an error comes of what others have changed while the catalog was read: all that
// our queries name is the server's own or was found there just before.
func passing(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return errors.Is(err, errReplaced) || errors.Is(err, errMoved)
	}
	return slices.Contains([]string{"40P01", "42P01", "42P17", "42703", "42704", "42883", "3F000", "XX000"}, pg.Code)
}

// lying are the relations in which a table's rows lie.
func (c *catalog) lying(t *database.Table) []*relation {
	if r := c.find(t.Schema, t.Name); r != nil && t.Role != database.LargeObjects {
		return c.leaves(r)
	}
	return nil
}

// hold locks relations for a worker, unless somebody waits to change one: a worker would wait behind
// him, and he for the leader.
func hold(ctx context.Context, conn *pgx.Conn, all []*relation) (bool, error) {
	if len(all) == 0 {
		return true, nil
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = "ONLY " + r.sql()
	}
	_, err := conn.Exec(ctx, "SAVEPOINT held; LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS SHARE MODE NOWAIT; RELEASE SAVEPOINT held")
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err == nil, translate(err)
	}
	if _, err := conn.Exec(ctx, "ROLLBACK TO SAVEPOINT held; RELEASE SAVEPOINT held"); err != nil {
		return false, translate(err)
	}
	switch pg.Code {
	case lockNotAvailable:
		return false, nil
	case insufficientPrivilege: // COPY says what the user lacks
		return true, nil
	}
	return false, translate(err)
}

// Codes of what hold may meet.
const (
	lockNotAvailable      = "55P03"
	insufficientPrivilege = "42501"
)

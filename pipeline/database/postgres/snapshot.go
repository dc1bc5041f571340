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
// is none: all that is locked before it keeps the form that the snapshot has. The rows of a table
// that was truncated or rewritten after the snapshot's moment would not be in it, neither the old
// ones nor the new ones.
func (s *source) begin(ctx context.Context) (err error) {
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	if err = beginReading(ctx, s.leader); err != nil {
		return err
	}
	if err = lock(ctx, s.leader, names); err != nil {
		return err
	}
	if s.catalog, err = readCatalog(ctx, s.leader); err != nil {
		return err
	}
	if err = s.unchanged(ctx, names); err != nil {
		return err
	}
	if err = s.leader.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&s.snapshot); err != nil {
		return err
	}
	s.schema, err = s.describe(ctx)
	return err
}

// names lists the tables to be read, as they are called now.
func (s *source) names(ctx context.Context) (names []string, err error) {
	var schema, name string
	err = each(ctx, s.leader, `SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` ORDER BY c.oid`,
		[]any{&schema, &name}, func() error {
			if s.filter.Takes("public", schema, name) {
				names = append(names, qualified(schema, name))
			}
			return nil
		})
	return names, err
}

// unchanged checks that the tables of the catalog are those that were locked, and that their rows,
// which for a partitioned table may lie in one that was attached just now, are the snapshot's.
func (s *source) unchanged(ctx context.Context, locked []string) error {
	var rows []string
	held := map[string]bool{}
	for _, name := range locked {
		held[name] = true
	}
	for _, oid := range s.catalog.order {
		r := s.catalog.relations[oid]
		if !r.isData() || !s.filter.Takes("public", r.Schema, r.Name) {
			continue
		}
		if !held[r.sql()] {
			return fmt.Errorf("table %s: %w", r.id(), errReplaced)
		}
		for _, leaf := range s.catalog.leaves(r) {
			rows = append(rows, fmt.Sprintf("(%d::oid)", leaf.OID))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	var name string
	err := s.leader.QueryRow(ctx, `SELECT c.relname::text FROM (VALUES `+strings.Join(rows, ", ")+`) u(oid) JOIN pg_catalog.pg_class c ON c.oid = u.oid
		WHERE c.relfilenode <> 0 AND pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode LIMIT 1`).Scan(&name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("table %s: %w", name, errReplaced)
}

// lock holds tables against changes of their definition and against others' TRUNCATE.
func lock(ctx context.Context, conn *pgx.Conn, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS SHARE MODE")
	return err
}

// errReplaced says that a name no longer means what the snapshot's catalog says.
var errReplaced = errors.New("it was dropped, renamed or replaced while it was to be read: try again")

// passing says that an error comes of what others have changed while the catalog was read: all that
// our queries name is the server's own or was found there just before.
func passing(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		var gone pgx.ScanArgError // a definition that is null, since its object is no more
		return errors.Is(err, errReplaced) || errors.As(err, &gone)
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

// holdSQL locks relations for a worker, unless another session waits to change one: a worker would
// wait behind that session, and that session for the leader. It stands before the first COPY in one
// message, so that the lock takes no round trip of its own.
func holdSQL(all []*relation) string {
	if len(all) == 0 {
		return ""
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = "ONLY " + r.sql()
	}
	return "SAVEPOINT held; LOCK TABLE " + strings.Join(names, ", ") + " IN ACCESS SHARE MODE NOWAIT; RELEASE SAVEPOINT held; "
}

// notHeld says that the server refused the lock of holdSQL, and makes the transaction usable again.
func notHeld(ctx context.Context, conn *pgx.Conn, err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != lockNotAvailable {
		return false
	}
	_, err = conn.Exec(ctx, "ROLLBACK TO SAVEPOINT held; RELEASE SAVEPOINT held")
	return err == nil
}

// lockNotAvailable is the code of a lock that NOWAIT did not get.
const lockNotAvailable = "55P03"

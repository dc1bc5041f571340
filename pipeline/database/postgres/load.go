package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// LoadsLong implements database.LongLoader: COPY takes a value in pieces.
func (t *target) LoadsLong() {}

// Load fills a table by COPY.
func (t *target) Load(ctx context.Context, p *database.PlannedTable, next func() (*database.Batch, error)) error {
	if t.several == nil {
		if err := t.searchPath(ctx, t.plan.load); err != nil {
			return err
		}
		return t.loadBy(ctx, t.conn, p, next, t.frozen[p.Target.ID()])
	}
	if p.Target.Role == database.LargeObjects {
		return t.several.transaction(ctx, t.plan.load, func(conn *pgx.Conn) error {
			if err := t.loadBy(ctx, conn, p, next, false); err != nil {
				return err
			}
			return markLarge(ctx, conn)
		})
	}
	q := &queued{next: next}
	defer q.release()
	small, err := q.look()
	if err != nil {
		return err
	}
	if small || !t.frozen[p.Target.ID()] {
		return t.several.work(ctx, t.plan.load, func(conn *pgx.Conn) error { return t.loadBy(ctx, conn, p, q.pull, false) })
	}
	return t.several.transaction(ctx, t.plan.load, func(conn *pgx.Conn) error {
		// A table that is new in the transaction takes rows that need no second look.
		if _, err := conn.Exec(ctx, "TRUNCATE ONLY "+qualified(p.Target.Schema, p.Target.Name)); err != nil {
			return t.translate(err)
		}
		return t.loadBy(ctx, conn, p, q.pull, true)
	})
}

// queued looks ahead at how much there is.
type queued struct {
	next  func() (*database.Batch, error)
	ahead []*database.Batch
	end   error
}

// look says that there is one batch at most.
func (q *queued) look() (small bool, err error) {
	for len(q.ahead) < 2 && q.end == nil {
		b, err := q.next()
		if err != nil {
			q.end = err
			break
		}
		q.ahead = append(q.ahead, b)
	}
	if q.end != nil && !errors.Is(q.end, io.EOF) {
		return false, q.end
	}
	return len(q.ahead) < 2, nil
}

func (q *queued) pull() (*database.Batch, error) {
	if len(q.ahead) > 0 {
		b := q.ahead[0]
		q.ahead = q.ahead[1:]
		return b, nil
	}
	if q.end != nil {
		return nil, q.end
	}
	return q.next()
}

func (q *queued) release() {
	for _, b := range q.ahead {
		b.Release()
	}
}

// freezable finds the tables whose rows COPY may freeze.
func (t *target) freezable(ctx context.Context) error {
	t.frozen = map[string]bool{}
	var schema, name string
	return each(ctx, t.conn, "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND "+userNamespace,
		[]any{&schema, &name}, func() error { t.frozen[database.JoinName(schema, name)] = true; return nil })
}

// loadBy fills a table by a connection.
func (t *target) loadBy(ctx context.Context, conn *pgx.Conn, p *database.PlannedTable, next func() (*database.Batch, error), frozen bool) error {
	if p.Target.Role == database.LargeObjects {
		return t.loadLargeObjects(ctx, conn, next)
	}
	var names []string
	skip := make([]bool, len(p.Target.Columns))
	for i, c := range p.Target.Columns {
		if skip[i] = c.Generated != nil; !skip[i] {
			names = append(names, quote(c.Name))
		}
	}
	sql := "COPY " + qualified(p.Target.Schema, p.Target.Name)
	if len(names) > 0 {
		sql += " (" + strings.Join(names, ", ") + ")"
	}
	if sql += " FROM STDIN"; frozen {
		sql += " (FREEZE)"
	}
	encoder := &copyEncoder{next: next, skip: skip}
	defer encoder.release()
	_, err := conn.PgConn().CopyFrom(ctx, encoder, sql)
	if failed := encoder.failure(); failed != nil {
		return failed
	}
	return t.translate(err)
}

// loadLargeObjects writes pages of large objects at their places.
func (t *target) loadLargeObjects(ctx context.Context, conn *pgx.Conn, next func() (*database.Batch, error)) error {
	cells := make([]database.Cell, 3)
	last := int64(-1)
	return database.EachBatch(next, func(b *database.Batch) error {
		for i := range b.Len() {
			if err := database.DecodeRow(cells, b.Row(i)); err != nil {
				return err
			}
			if err := t.largePage(ctx, conn, cells, cells[0].Int != last); err != nil {
				return err
			}
			last = cells[0].Int
		}
		return nil
	})
}

func (t *target) largePage(ctx context.Context, conn *pgx.Conn, cells []database.Cell, create bool) error {
	if create {
		if _, err := conn.Exec(ctx, "SELECT pg_catalog.lo_create($1)", uint32(cells[0].Int)); err != nil {
			return fmt.Errorf("create large object %d: %w", cells[0].Int, t.translate(err))
		}
	}
	if cells[1].Class == database.ClassNull {
		return nil
	}
	const page = 2048 // bytes of a large object in a row of pg_largeobject
	if _, err := conn.Exec(ctx, "SELECT pg_catalog.lo_put($1, $2, $3)", uint32(cells[0].Int), cells[1].Int*page, cells[2].Bytes); err != nil {
		return fmt.Errorf("write large object %d: %w", cells[0].Int, t.translate(err))
	}
	return nil
}

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite/btree"
)

// paged says that rows of a table can be written page by page.
func (t *target) paged(l *tableLayout) bool {
	return !t.beside && !t.layout.native && l.rowid && len(l.columns) > 0 && !computes(l.columns)
}

// byPages closes the connection and opens the file for its pages.
func (t *target) byPages() error {
	if t.pages != nil {
		return nil
	}
	for _, l := range t.layout.tables {
		err := query(t.conn, "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = "+text(l.name), func(s *sqlite3.Stmt) error {
			l.root = uint32(s.ColumnInt64(0))
			return nil
		})
		if err != nil {
			return translate(err)
		}
	}
	if err := t.closePartial(); err != nil {
		return err
	}
	var err error
	t.pages, err = btree.Open(t.partial)
	return err
}

// bySQL closes the file and opens a connection to it.
func (t *target) bySQL(ctx context.Context) error {
	if err := t.closePages(); err != nil {
		return err
	}
	if t.conn == nil {
		return t.openPartial(ctx)
	}
	t.conn.SetInterrupt(ctx)
	return nil
}

func (t *target) closePages() error {
	if t.pages == nil {
		return nil
	}
	err := t.pages.Close()
	t.pages = nil
	return err
}

// loadPages writes rows page by page, up to one that only SQL can write. That one is row done of
// the batch that is left; nil at the end of all.
func (t *target) loadPages(l *tableLayout, next func() (*database.Batch, error)) (left *database.Batch, done int, err error) {
	if !t.paged(l) {
		left, err = first(next)
		return left, 0, err
	}
	if err := t.byPages(); err != nil {
		return nil, 0, err
	}
	l.paged = true
	w := newPageWriter(t, l)
	for {
		b, err := first(next)
		if b == nil || err != nil {
			return nil, 0, errors.Join(err, w.table.End())
		}
		done, err := w.batch(b)
		if err != nil {
			b.Release()
			return nil, 0, err
		}
		if done < b.Len() {
			return b, done, w.table.End()
		}
		b.Release()
	}
}

// first is the next batch; nil at the end.
func first(next func() (*database.Batch, error)) (*database.Batch, error) {
	b, err := next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return b, err
}

// buildKeys builds the indexes of keys that stand in a table's own definition.
func (t *target) buildKeys() error {
	for _, l := range t.layout.tables {
		if !l.paged {
			continue
		}
		if err := t.conn.Exec("REINDEX main." + quote(l.name)); err != nil {
			return fmt.Errorf("table %s: %w", l.planned.Source.ID(), translate(err))
		}
	}
	return nil
}

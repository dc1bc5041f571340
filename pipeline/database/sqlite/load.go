package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// LoadsLong implements database.LongLoader.
func (t *target) LoadsLong() {}

// Load writes rows in the order they come: page by page as far as that can be done, by SQL from
// there on.
func (t *target) Load(ctx context.Context, p *database.PlannedTable, next func() (*database.Batch, error)) error {
	l := t.layout.find(p.Target.Name)
	if l == nil {
		return fmt.Errorf("table %s is not planned", p.Target.Name)
	}
	left, done, err := t.loadPages(l, next)
	if err != nil || left == nil {
		return err
	}
	return t.loadSQL(ctx, l, left, done, next)
}

// loadSQL inserts rows: those of a first batch of which some are done already, and all that follow.
func (t *target) loadSQL(ctx context.Context, l *tableLayout, left *database.Batch, done int, next func() (*database.Batch, error)) error {
	defer left.Release()
	if err := t.bySQL(ctx); err != nil {
		return err
	}
	stmt, _, err := t.conn.Prepare(l.insert())
	if err != nil {
		return err
	}
	defer stmt.Close()
	w := newRowWriter(t, l, stmt)
	if err := guard(func() error { return w.batch(left, done) }); err != nil {
		return err
	}
	return database.EachBatch(next, func(b *database.Batch) error {
		return guard(func() error { return w.batch(b, 0) })
	})
}

func (l *tableLayout) insert() string {
	var names, marks []string
	for _, c := range l.columns {
		if !c.generated {
			names = append(names, quote(c.name))
			marks = append(marks, "?")
		}
	}
	if len(names) == 0 {
		return "INSERT INTO " + quote(l.name) + " DEFAULT VALUES"
	}
	return "INSERT INTO " + quote(l.name) + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

// rowWriter binds rows to an insert.
type rowWriter struct {
	target *target
	layout *tableLayout
	stmt   *sqlite3.Stmt
	codecs []*codec
	cells  []database.Cell // of the open row
	exact  []int           // columns of the open row that need an entry
	later  int             // a long cell that is written after its row; -1: none
}

func newRowWriter(t *target, l *tableLayout, stmt *sqlite3.Stmt) *rowWriter {
	w := &rowWriter{target: t, layout: l, stmt: stmt, cells: make([]database.Cell, len(l.columns))}
	for _, c := range l.columns {
		w.codecs = append(w.codecs, newCodec(c.enc))
	}
	return w
}

// batch inserts the rows of a batch from one on.
func (w *rowWriter) batch(b *database.Batch, from int) error {
	for i := from; i < b.Len(); i++ {
		if err := b.Cells(w.cells, i); err != nil {
			return err
		}
		if err := w.row(); err != nil {
			return err
		}
	}
	return nil
}

func (w *rowWriter) row() error {
	param := 0
	w.exact, w.later = w.exact[:0], -1
	for i, cell := range w.cells {
		if w.layout.columns[i].generated {
			continue
		}
		param++
		exact, err := w.bind(i, param, cell)
		if err != nil {
			return database.NewValueError(w.layout.planned.Source, i, w.cells, translate(err))
		}
		if exact {
			w.exact = append(w.exact, i)
		}
	}
	if err := w.stmt.Exec(); err != nil {
		return translate(err)
	}
	if w.later >= 0 {
		if err := w.fillIn(); err != nil {
			return err
		}
	}
	if len(w.exact) > 0 && w.layout.rowid {
		w.target.keepExact(w.layout, w.target.conn.LastInsertRowID(), w.exact)
	}
	return nil
}

// keepExact notes cells of a row that hold -0.0.
func (t *target) keepExact(l *tableLayout, row int64, columns []int) {
	known := t.exact[l.name]
	if known == nil {
		known = map[exactKey]bool{}
		t.exact[l.name] = known
	}
	for _, column := range columns {
		known[exactKey{row, column}] = true
	}
}

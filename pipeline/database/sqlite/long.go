package sqlite

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// bind binds a cell of a column. SQLite puts a row together in memory; only a blob that ends it can
// be written later.
func (w *rowWriter) bind(column, param int, cell database.Cell) (exact bool, err error) {
	if cell.Long == nil {
		return w.bindStored(column, param, cell)
	}
	if cell.Class == database.ClassBlob && column == len(w.cells)-1 && w.layout.rowid && !w.layout.keyed(column) && !computes(w.layout.columns) {
		w.later = column
		return false, w.stmt.BindZeroBlob(param, cell.Long.Size())
	}
	return false, withBytes(cell.Long, func(p []byte) (err error) {
		exact, err = w.bindStored(column, param, database.Cell{Class: cell.Class, Bytes: p})
		return err
	})
}

func (w *rowWriter) bindStored(column, param int, cell database.Cell) (exact bool, err error) {
	cell, exact, err = w.codecs[column].stored(cell)
	if err != nil {
		return false, err
	}
	return exact, bind(w.stmt, param, cell)
}

// computes says that a table has generated columns; SQLite reads and writes no pieces of its rows.
func computes(columns []columnLayout) bool {
	return slices.ContainsFunc(columns, func(c columnLayout) bool { return c.generated })
}

// keyed says that a column is part of a key, which has an index from the start.
func (l *tableLayout) keyed(column int) bool {
	name := l.planned.Target.Columns[column].Name
	t := l.planned.Target
	for _, k := range append([]*database.Key{t.PrimaryKey}, t.Uniques...) {
		for _, part := range keyColumns(k) {
			if strings.EqualFold(part, name) {
				return true
			}
		}
	}
	return false
}

func keyColumns(k *database.Key) []string {
	if k == nil {
		return nil
	}
	return k.Columns
}

// fillIn writes the long blob of the row that was just inserted.
func (w *rowWriter) fillIn() error {
	conn := w.target.conn
	blob, err := conn.OpenBlob("main", w.layout.name, w.layout.columns[w.later].name, conn.LastInsertRowID(), true)
	if err != nil {
		return fmt.Errorf("write a large value: %w", translate(err))
	}
	piece := make([]byte, 1<<20)
	_, err = io.CopyBuffer(struct{ io.Writer }{blob}, struct{ io.Reader }{w.cells[w.later].Long.Reader()}, piece)
	return errors.Join(translate(err), blob.Close())
}

// longs chooses the columns of a table in which a long cell is read in pieces.
func (r *reading) longs() []string {
	if r.aside == nil || r.rowidName() == "" || computes(r.columns) {
		return nil
	}
	var out []string
	for _, c := range r.columns {
		if c.long {
			out = append(out, c.name)
		}
	}
	return out
}

// asides is where a connection's long cells go, and which rows its queries have passed by since
// they hold such.
type asides struct {
	dir    string
	passes int64
	rows   map[int64][]int64
}

// noteName is the SQL function by which a query notes rows that it passes by.
const noteName = "packstone_note"

// newAsides prepares a connection; nil without a directory. What it returns is guarded as the
// connection is.
func newAsides(conn *sqlite3.Conn, dir string) (*asides, error) {
	if dir == "" {
		return nil, nil
	}
	a := &asides{dir: dir, rows: map[int64][]int64{}}
	return a, conn.CreateFunction(noteName, 2, 0, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
		pass := arg[0].Int64()
		a.rows[pass] = append(a.rows[pass], arg[1].Int64())
		ctx.ResultInt(0)
	})
}

// skipping makes a query pass by rows in which one of these columns is long.
func (a *asides) skipping(columns []string, rowid string) (pass int64, where string) {
	a.passes++
	parts := make([]string, len(columns))
	for i, name := range columns {
		parts[i] = fmt.Sprintf("octet_length(%s) > %d", quote(name), database.LongBytes)
	}
	return a.passes, fmt.Sprintf(" WHERE CASE WHEN %s THEN %s(%d, %s) ELSE 1 END", strings.Join(parts, " OR "), noteName, a.passes, rowid)
}

// passed gives the rowids that a query has passed by.
func (a *asides) passed(mu *sync.Mutex, pass int64) []int64 {
	if a == nil {
		return nil
	}
	mu.Lock()
	defer mu.Unlock()
	rows := a.rows[pass]
	delete(a.rows, pass)
	return rows
}

// longRow reads a row that may have long cells.
func (r *reading) longRow(conn *sqlite3.Conn, codecs []*codec, row int64) (*database.Batch, error) {
	list := make([]string, len(r.columns))
	for i, c := range r.columns {
		name := quote(c.name)
		if list[i] = "+" + name; c.long && r.aside != nil {
			list[i] = fmt.Sprintf("CASE WHEN octet_length(%[1]s) > %[2]d THEN NULL ELSE +%[1]s END", name, database.LongBytes)
		}
	}
	b := database.NewBatch()
	err := query(conn, fmt.Sprintf("SELECT %s FROM %s WHERE %s = %d", strings.Join(list, ", "), quote(r.table), r.rowidName(), row), func(s *sqlite3.Stmt) error {
		for i, c := range codecs {
			if s.ColumnType(i) == sqlite3.NULL && r.columns[i].long && r.aside != nil {
				if err := r.longCell(conn, b, r.columns[i].name, row); err != nil {
					return err
				}
				continue
			}
			r.cell(s, c, i, i, row, b)
		}
		b.EndRow()
		return nil
	})
	return b, err
}

// longCell reads a cell that is null or long.
func (r *reading) longCell(conn *sqlite3.Conn, b *database.Batch, name string, row int64) error {
	kind := ""
	err := query(conn, fmt.Sprintf("SELECT typeof(%s) FROM %s WHERE rowid = %d", quote(name), quote(r.table), row), func(s *sqlite3.Stmt) error {
		kind = s.ColumnText(0)
		return nil
	})
	if err != nil || kind == "null" {
		b.Null()
		return err
	}
	blob, err := conn.OpenBlob("main", r.table, name, row, false)
	if err != nil {
		return err
	}
	value, err := database.NewLong(r.aside.dir)
	if err != nil {
		return errors.Join(err, blob.Close())
	}
	class := database.ClassBlob
	if kind == "text" {
		class = database.ClassText
	}
	_, err = io.CopyBuffer(value, struct{ io.Reader }{blob}, make([]byte, 1<<20))
	b.Long(class, value)
	return errors.Join(err, blob.Close())
}

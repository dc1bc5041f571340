package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// reading says how a table's rows are read.
type reading struct {
	table   string
	columns []columnLayout
	rowid   bool
	orderBy string // empty: by rowid
	exact   map[exactKey]bool
	aside   *asides // where long cells go; nil: into memory
	direct  *direct // nil: SQLite reads it
}

// exactKey is a cell whose value is -0.0.
type exactKey struct {
	row    int64
	column int
}

func (k exactKey) compare(other exactKey) int {
	return cmp.Or(cmp.Compare(k.row, other.row), cmp.Compare(k.column, other.column))
}

func (r *reading) sql(where string) string {
	var list []string
	rowid := r.rowidName()
	if len(r.exact) > 0 {
		list = append(list, rowid)
	}
	for _, c := range r.columns {
		list = append(list, "+"+quote(c.name)) // + drops the declared type
	}
	if len(list) == 0 {
		list = append(list, "1")
	}
	order := r.orderBy
	if order == "" {
		order = rowid
	}
	if order != "" {
		order = " ORDER BY " + order
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + quote(r.table) + where + order
}

// rowidName is a name of the row's number that no column hides; "" where there is none.
func (r *reading) rowidName() string {
	for _, name := range rowidNames {
		hides := func(c columnLayout) bool { return strings.EqualFold(c.name, name) }
		if r.rowid && !slices.ContainsFunc(r.columns, hides) {
			return name
		}
	}
	return ""
}

var rowidNames = []string{"rowid", "oid", "_rowid_"}

// stream reads all rows. Several streams may share a connection: it is locked
// for one batch at a time.
func (r *reading) stream(ctx context.Context, conn *sqlite3.Conn, mu *sync.Mutex, send func(*database.Batch) error) error {
	codecs := make([]*codec, len(r.columns))
	for i, c := range r.columns {
		codecs[i] = newCodec(c.enc)
	}
	var left []int64
	var err error
	if r.direct != nil {
		left, err = r.direct.stream(ctx, r, codecs, send)
	} else {
		left, err = r.streamShort(ctx, conn, mu, codecs, send)
	}
	if err != nil {
		return err
	}
	return r.streamLong(ctx, conn, mu, codecs, left, send)
}

// streamShort reads rows without long cells, and gives the numbers of the others.
func (r *reading) streamShort(ctx context.Context, conn *sqlite3.Conn, mu *sync.Mutex, codecs []*codec, send func(*database.Batch) error) (left []int64, err error) {
	mu.Lock()
	stmt, pass, err := r.prepare(conn)
	mu.Unlock()
	if err != nil {
		return nil, translate(err)
	}
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		stmt.Close()
	}()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := database.NewBatch()
		mu.Lock()
		err = guard(func() (err error) {
			more, err = r.fill(stmt, codecs, b)
			return err
		})
		mu.Unlock()
		if err != nil {
			b.Release()
			return nil, translate(err)
		}
		if b.Len() == 0 {
			b.Release()
			break
		}
		if err := send(b); err != nil {
			return nil, err
		}
	}
	return r.aside.passed(mu, pass), nil
}

// prepare prepares the query for all rows but those with long cells; pass is what those are noted
// under.
func (r *reading) prepare(conn *sqlite3.Conn) (stmt *sqlite3.Stmt, pass int64, err error) {
	where := ""
	if longs := r.longs(); len(longs) > 0 {
		pass, where = r.aside.skipping(longs, r.rowidName())
	}
	stmt, _, err = conn.Prepare(r.sql(where))
	return stmt, pass, err
}

// streamLong reads rows with long cells, and others that are left, one by one.
func (r *reading) streamLong(ctx context.Context, conn *sqlite3.Conn, mu *sync.Mutex, codecs []*codec, rows []int64, send func(*database.Batch) error) error {
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		var b *database.Batch
		mu.Lock()
		err := guard(func() (err error) {
			b, err = r.longRow(conn, codecs, row)
			return err
		})
		mu.Unlock()
		if err != nil {
			return fmt.Errorf("read row %d of table %s: %w", row, r.table, translate(err))
		}
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}

// fill steps until the batch is full; more is false at the end.
func (r *reading) fill(stmt *sqlite3.Stmt, codecs []*codec, b *database.Batch) (more bool, err error) {
	for !b.Full() && b.Len() < maxBatchRows {
		if !stmt.Step() {
			return false, stmt.Err()
		}
		first := 0
		var row int64
		if len(r.exact) > 0 {
			first, row = 1, stmt.ColumnInt64(0)
		}
		for i, c := range codecs {
			r.cell(stmt, c, i, i+first, row, b)
		}
		b.EndRow()
	}
	return true, nil
}

// cell reads a cell of a column that stands at a place of the statement.
func (r *reading) cell(stmt *sqlite3.Stmt, c *codec, column, at int, row int64, b *database.Batch) {
	r.canonical(columnCell(stmt, at), c, column, row, b)
}

// canonical appends what SQLite keeps in a cell in canonical form.
func (r *reading) canonical(cell database.Cell, c *codec, column int, row int64, b *database.Batch) {
	if len(r.exact) > 0 && cell.Class == database.ClassFloat && cell.Float == 0 && r.exact[exactKey{row, column}] {
		b.Float(math.Copysign(0, -1))
		return
	}
	c.read(cell, b)
}

// maxBatchRows bounds a batch of rows without cells.
const maxBatchRows = 16 << 10

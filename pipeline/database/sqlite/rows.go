package sqlite

import (
	"context"
	"math"
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
}

// exactKey is a cell whose value is -0.0.
type exactKey struct {
	row    int64
	column int
}

func (r *reading) sql() string {
	var list []string
	if len(r.exact) > 0 {
		list = append(list, "rowid")
	}
	for _, c := range r.columns {
		list = append(list, "+"+quote(c.name)) // + drops the declared type
	}
	if len(list) == 0 {
		list = append(list, "1")
	}
	order := r.orderBy
	if order == "" && r.rowid {
		order = "rowid"
	}
	if order != "" {
		order = " ORDER BY " + order
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + quote(r.table) + order
}

// stream reads all rows. Several streams may share a connection: it is locked
// for one batch at a time.
func (r *reading) stream(ctx context.Context, conn *sqlite3.Conn, mu *sync.Mutex, send func(*database.Batch) error) error {
	mu.Lock()
	stmt, _, err := conn.Prepare(r.sql())
	mu.Unlock()
	if err != nil {
		return translate(err)
	}
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		stmt.Close()
	}()
	codecs := make([]*codec, len(r.columns))
	for i, c := range r.columns {
		codecs[i] = newCodec(c.enc)
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := database.NewBatch()
		mu.Lock()
		err = guard(func() (err error) {
			more, err = r.fill(stmt, codecs, b)
			return err
		})
		mu.Unlock()
		if err != nil || b.Len() == 0 {
			b.Release()
			return translate(err)
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
			if first == 1 && r.exact[exactKey{row, i}] && stmt.ColumnType(i+1) == sqlite3.FLOAT && stmt.ColumnFloat(i+1) == 0 {
				b.Float(math.Copysign(0, -1))
				continue
			}
			c.read(stmt, i+first, b)
		}
		b.EndRow()
	}
	return true, nil
}

// maxBatchRows bounds a batch of rows without cells.
const maxBatchRows = 16 << 10

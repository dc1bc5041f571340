package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite/btree"
)

// direct says how the rows of a table are read from the pages of the file, without SQLite: its
// virtual machine takes several times as long.
type direct struct {
	pages  *btree.Reader
	root   uint32
	fields []field // as they stand in a row
}

// field is a value of a row.
type field struct {
	column int  // of the table; -1: none
	rowid  bool // the number of the row stands for it
	real   bool // SQLite keeps some floats as integers
}

// openPages opens the file beside SQLite, if its tables can be read so, and finds out which.
func (s *source) openPages() error {
	path := s.at.Reveal()
	if s.copied != "" {
		path = s.copied
	}
	pages, err := btree.OpenReader(path)
	if err != nil {
		return nil // SQLite reads it, or says what is wrong
	}
	s.pages = pages
	if same, err := s.samePages(); err != nil || !same {
		return err
	}
	for _, r := range s.readings {
		if r.direct, err = s.directly(r); err != nil {
			return err
		}
	}
	return nil
}

// samePages says that the file is the one that SQLite has open.
func (s *source) samePages() (same bool, err error) {
	err = query(s.conn, "SELECT page_count, schema_version FROM pragma_page_count, pragma_schema_version", func(row *sqlite3.Stmt) error {
		same = row.ColumnInt64(0) == s.pages.Pages() && row.ColumnInt64(1) == s.pages.SchemaVersion()
		return nil
	})
	return same, err
}

// directly plans how a table is read; nil if only SQLite can. It must have the columns that the
// export gave it: what was added since may have values that stand in no row.
func (s *source) directly(r *reading) (*direct, error) {
	if !r.rowid || r.orderBy != "" || r.rowidName() == "" || computes(r.columns) {
		return nil, nil
	}
	d := &direct{pages: s.pages}
	known, err := d.readFields(s.conn, r)
	if err != nil || known != len(r.columns) || slices.ContainsFunc(d.fields, func(f field) bool { return f.column < 0 && !f.rowid }) {
		return nil, err
	}
	err = query(s.conn, "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = "+text(r.table), func(row *sqlite3.Stmt) error {
		d.root = uint32(row.ColumnInt64(0))
		return nil
	})
	return d, err
}

// readFields finds what stands where in a row, and how many of the reading's columns do.
func (d *direct) readFields(conn *sqlite3.Conn, r *reading) (known int, err error) {
	const alias = "type = 'INTEGER' COLLATE NOCASE AND pk = 1 AND (SELECT count(*) FROM pragma_table_xinfo(%[1]s) WHERE pk > 0) = 1" +
		" AND NOT EXISTS (SELECT 1 FROM pragma_index_list(%[1]s) WHERE origin = 'pk')"
	sql := "SELECT name, type, " + alias + ", hidden FROM pragma_table_xinfo(%[1]s) ORDER BY cid"
	err = query(conn, fmt.Sprintf(sql, text(r.table)), func(row *sqlite3.Stmt) error {
		name := row.ColumnText(0)
		f := field{rowid: row.ColumnBool(2), real: affinityOf(row.ColumnText(1)) == "REAL"}
		f.column = slices.IndexFunc(r.columns, func(c columnLayout) bool { return strings.EqualFold(c.name, name) })
		if row.ColumnInt64(3) != 0 {
			f = field{column: -1}
		}
		if f.column >= 0 {
			known++
		}
		d.fields = append(d.fields, f)
		return nil
	})
	return known, err
}

// stream reads all rows but those that only SQLite can put together, whose numbers it gives back.
func (d *direct) stream(ctx context.Context, r *reading, codecs []*codec, send func(*database.Batch) error) (left []int64, err error) {
	out := &outgoing{ctx: ctx, batch: database.NewBatch(), send: send}
	defer func() { out.batch.Release() }()
	cells := make([]database.Cell, len(r.columns))
	most := int64(math.MaxInt64)
	if len(r.longs()) > 0 {
		most = database.LongBytes
	}
	err = d.pages.Rows(d.root, most, func(number int64, values *btree.Values) error {
		whole, err := d.cells(number, values, cells)
		if err != nil {
			return fmt.Errorf("row %d: %w", number, err)
		}
		if !whole {
			left = append(left, number)
			return nil
		}
		for i, c := range codecs {
			r.canonical(cells[i], c, i, number, out.batch)
		}
		return out.endRow()
	})
	switch {
	case errors.Is(err, btree.ErrDamaged):
		return nil, fmt.Errorf("read table %s: %w; export the database anew, or take an earlier copy of the file", r.table, err)
	case err != nil:
		return nil, fmt.Errorf("read table %s: %w", r.table, err)
	}
	return left, out.flush()
}

// outgoing hands rows on in batches.
type outgoing struct {
	ctx   context.Context
	batch *database.Batch // the open one
	send  func(*database.Batch) error
}

func (o *outgoing) endRow() error {
	o.batch.EndRow()
	if o.batch.Full() || o.batch.Len() == maxBatchRows {
		return o.flush()
	}
	return nil
}

func (o *outgoing) flush() error {
	if err := o.ctx.Err(); err != nil || o.batch.Len() == 0 {
		return err
	}
	full := o.batch
	o.batch = database.NewBatch()
	return o.send(full)
}

// cells puts the values of a row where their columns stand; whole is false if there are fewer than
// the table has.
func (d *direct) cells(number int64, values *btree.Values, cells []database.Cell) (whole bool, err error) {
	if values == nil {
		return false, nil
	}
	for _, f := range d.fields {
		cell, ok, err := values.Next()
		if err != nil || !ok {
			return false, err
		}
		switch {
		case f.rowid:
			cell = database.Cell{Class: database.ClassInt, Int: number}
		case f.real && cell.Class == database.ClassInt:
			cell = database.Cell{Class: database.ClassFloat, Float: float64(cell.Int)}
		}
		if f.column >= 0 {
			cells[f.column] = cell
		}
	}
	return true, nil
}

package sqlite

import (
	"math"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite/btree"
)

// maxRow bounds a row in bytes. SQLite refuses larger ones, and says so.
const maxRow = 999_000_000

// pageWriter puts rows into a table's pages.
type pageWriter struct {
	target *target
	layout *tableLayout
	table  *btree.Table
	codecs []*codec
	cells  []database.Cell // of the open row
	record btree.Record
	exact  []int // columns of the open row that need an entry
	row    int64 // the number of the last row
}

func newPageWriter(t *target, l *tableLayout) *pageWriter {
	w := &pageWriter{target: t, layout: l, table: t.pages.Table(l.root), cells: make([]database.Cell, len(l.columns))}
	for _, c := range l.columns {
		w.codecs = append(w.codecs, newCodec(c.enc))
	}
	return w
}

// batch writes rows up to one that SQLite has to take, and counts them.
func (w *pageWriter) batch(b *database.Batch) (done int, err error) {
	for i := range b.Len() {
		if err := b.Cells(w.cells, i); err != nil {
			return i, err
		}
		if fits, err := w.whole(0); err != nil || !fits {
			return i, err
		}
	}
	return b.Len(), nil
}

// whole writes the row once the long cells from a column on are at hand.
func (w *pageWriter) whole(from int) (fits bool, err error) {
	for i := from; i < len(w.cells); i++ {
		if long := w.cells[i].Long; long != nil {
			err = withBytes(long, func(p []byte) (err error) {
				w.cells[i] = database.Cell{Class: w.cells[i].Class, Bytes: p}
				fits, err = w.whole(i + 1)
				return err
			})
			return fits, err
		}
	}
	return w.write()
}

// write writes the open row if it is stored as it is.
func (w *pageWriter) write() (fits bool, err error) {
	w.record.Reset()
	w.exact = w.exact[:0]
	row := w.row + 1
	for i, cell := range w.cells {
		if i == w.layout.key {
			if cell.Class != database.ClassInt {
				return false, nil
			}
			w.record.Null()
			row = cell.Int
			continue
		}
		if !w.add(i, cell) {
			return false, nil
		}
	}
	if w.record.Size() > maxRow || !w.table.Fits(row) {
		return false, nil
	}
	w.row = row
	if len(w.exact) > 0 {
		w.target.keepExact(w.layout, row, w.exact)
	}
	return true, w.table.Append(row, &w.record)
}

// add adds a cell as SQLite would store it; false if that is for SQLite to say.
func (w *pageWriter) add(column int, cell database.Cell) bool {
	cell, exact, err := w.codecs[column].stored(cell)
	if err != nil {
		return false
	}
	if exact {
		w.exact = append(w.exact, column)
	}
	affinity := w.layout.columns[column].affinity
	switch cell.Class {
	case database.ClassNull:
		w.record.Null()
		return !w.layout.columns[column].notNull
	case database.ClassInt:
		w.record.Int(cell.Int)
		return affinity != "TEXT" && affinity != "REAL"
	case database.ClassFloat:
		w.float(cell.Float, affinity)
		return affinity != "TEXT"
	case database.ClassBlob:
		w.record.Blob(cell.Bytes)
		return true
	}
	w.record.Text(cell.Bytes)
	return affinity == "BLOB" || affinity == "TEXT" || !looksNumeric(cell.Bytes)
}

// float stores a whole number as an integer where the column is for numbers, as SQLite does.
func (w *pageWriter) float(v float64, affinity string) {
	if affinity != "BLOB" && v == math.Trunc(v) && math.Abs(v) < 1<<63 {
		w.record.Int(int64(v))
		return
	}
	w.record.Float(v)
}

// looksNumeric says that SQLite may take a text for a number: nothing stands in it but digits,
// signs, points, exponents and spaces, and it has a digit. Some that it takes for text do so too:
// dates are known to be none.
func looksNumeric(text []byte) bool {
	digits := false
	for i, c := range text {
		switch {
		case '0' <= c && c <= '9':
			digits = true
		case c == '-' || c == '+':
			if digits && text[i-1]|0x20 != 'e' {
				return false
			}
		case c != '.' && c|0x20 != 'e' && c != ' ' && (c < '\t' || c > '\r'):
			return false
		}
	}
	return digits
}

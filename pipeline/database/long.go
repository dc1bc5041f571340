package database

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// LongBytes is the size from which a text or blob may cross the seam as a [Long] instead of in
// memory.
const LongBytes = 8 << 20

// MaxRow bounds, in bytes, what a reader takes for a row or a cell of a stored stream.
const MaxRow = 1 << 30

// Long is a text or blob too large to be held in memory. Its bytes lie in a file that has no name
// any more, so that nothing of it stays behind. It is written once and then read by any number of
// readers at once.
type Long struct {
	file *os.File
	size int64
}

// NewLong returns an empty one whose bytes lie in a directory.
func NewLong(dir string) (*Long, error) {
	f, err := os.CreateTemp(dir, ".packstone-long-*")
	if err != nil {
		return nil, fmt.Errorf("put a large value aside: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("put a large value aside: %w", err)
	}
	return &Long{file: f}, nil
}

// ReadLong returns one that holds the next n bytes of r.
func ReadLong(dir string, r io.Reader, n int64) (*Long, error) {
	l, err := NewLong(dir)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(l, r, n); err != nil {
		l.Close()
		return nil, fmt.Errorf("put a large value aside: %w", noEOF(err))
	}
	return l, nil
}

// Write appends.
func (l *Long) Write(p []byte) (int, error) {
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

// Size is the number of bytes written.
func (l *Long) Size() int64 { return l.size }

// Reader reads from the start.
func (l *Long) Reader() io.Reader { return io.NewSectionReader(l.file, 0, l.size) }

// File is where the bytes lie, from offset 0.
func (l *Long) File() *os.File { return l.file }

// Bytes reads all of it.
func (l *Long) Bytes() ([]byte, error) {
	out := make([]byte, l.size)
	_, err := io.ReadFull(l.Reader(), out)
	return out, err
}

// Close drops the bytes.
func (l *Long) Close() error { return l.file.Close() }

// longAt is a long payload and where in a row it belongs.
type longAt struct {
	at   int
	long *Long
}

// Row is a row's canonical bytes, of which those of long cells are still in their files. The zero
// value is none; [RowOf] gives one without cells.
type Row struct {
	data  []byte
	longs []longAt
}

// RowOf is a row without long cells; it does not copy data.
func RowOf(data []byte) Row { return Row{data: data} }

// Bytes are the canonical bytes of a row without long cells.
func (r Row) Bytes() []byte { return r.data }

// HasLong tells whether some cells are in files.
func (r Row) HasLong() bool { return len(r.longs) > 0 }

// Size is the number of canonical bytes.
func (r Row) Size() int64 {
	n := int64(len(r.data))
	for _, l := range r.longs {
		n += l.long.size
	}
	return n
}

// WriteTo writes the canonical bytes.
func (r Row) WriteTo(w io.Writer) (int64, error) {
	done := 0
	for _, l := range r.longs {
		if _, err := w.Write(r.data[done:l.at]); err != nil {
			return 0, err
		}
		if _, err := io.Copy(w, l.long.Reader()); err != nil {
			return 0, err
		}
		done = l.at
	}
	_, err := w.Write(r.data[done:])
	return r.Size(), err
}

// hash is the SHA-256 of the canonical bytes.
func (r Row) hash() (sum [32]byte, err error) {
	h := sha256.New()
	if _, err := r.WriteTo(h); err != nil {
		return sum, fmt.Errorf("sum a large value: %w", err)
	}
	return [32]byte(h.Sum(nil)), nil
}

// cells splits the row.
func (r Row) cells(cells []Cell) (err error) {
	row, longs, at := r.data, r.longs, 0
	for i := range cells {
		before := len(row)
		if cells[i], row, err = longCell(row, longs, at); err != nil {
			return err
		}
		at += before - len(row)
		if cells[i].Long != nil {
			longs = longs[1:]
		}
	}
	if len(row) != 0 {
		return errCell
	}
	return nil
}

// longCell takes the first cell off what is left of a row, of which at bytes are gone.
func longCell(row []byte, longs []longAt, at int) (Cell, []byte, error) {
	if len(longs) > 0 && len(row) > 0 {
		_, used := binary.Uvarint(row[1:])
		if class := Class(row[0]); (class == ClassText || class == ClassBlob) && used > 0 && at+1+used == longs[0].at {
			return Cell{Class: class, Long: longs[0].long}, row[1+used:], nil
		}
	}
	return NextCell(row)
}

// Long adds a text or blob that the batch takes over. The row of a long cell must be the only one
// of its batch.
func (b *Batch) Long(class Class, l *Long) {
	b.data = binary.AppendUvarint(append(b.data, byte(class)), uint64(l.size))
	b.longs = append(b.longs, longAt{len(b.data), l})
}

// HasLong says that the batch is one row with long cells. Row and NextCell do not do for it; Cells
// does.
func (b *Batch) HasLong() bool { return len(b.longs) > 0 }

// Cells splits row i into exactly len(cells) cells.
func (b *Batch) Cells(cells []Cell, i int) error {
	if b.HasLong() {
		return b.long().cells(cells)
	}
	return DecodeRow(cells, b.Row(i))
}

func (b *Batch) long() Row { return Row{b.data, b.longs} }

// At gives row i with its long cells. It is good as long as the batch.
func (b *Batch) At(i int) Row { return Row{b.Row(i), b.longs} }

// Append adds a row, whose long cells the batch takes over.
func (b *Batch) Append(row Row) {
	b.AppendRow(row.data)
	b.longs = row.longs
}

// Whole takes the batch over and returns one without long cells: all is in memory.
func (b *Batch) Whole() (*Batch, error) {
	if !b.HasLong() {
		return b, nil
	}
	defer b.Release()
	row := b.long()
	data := bytes.NewBuffer(make([]byte, 0, row.Size()+bytes.MinRead))
	if _, err := row.WriteTo(data); err != nil {
		return nil, fmt.Errorf("read a large value back: %w", err)
	}
	return &Batch{data: data.Bytes(), ends: []int{data.Len()}}, nil
}

// Whole is the cell with its bytes in memory, where they were put aside.
func (c Cell) Whole() (Cell, error) {
	if c.Long == nil {
		return c, nil
	}
	text, err := c.Long.Bytes()
	if err != nil {
		return c, fmt.Errorf("read a large value back: %w", err)
	}
	return Cell{Class: c.Class, Bytes: text}, nil
}

// ReadRow reads a row of n canonical bytes. Cells beyond LongBytes go to files in dir.
func ReadRow(in *bufio.Reader, n int64, dir string) (row Row, err error) {
	defer func() {
		if err != nil {
			row.Drop()
		}
	}()
	for n > 0 {
		used, err := row.readCell(in, n, dir)
		if err != nil {
			return row, err
		}
		n -= used
	}
	return row, nil
}

// readCell appends a cell, of which at most n bytes are left in the row, and returns how many it
// took.
func (r *Row) readCell(in *bufio.Reader, n int64, dir string) (int64, error) {
	head, err := in.Peek(int(min(n, 1+binary.MaxVarintLen64)))
	if err != nil && len(head) == 0 {
		return 0, noEOF(err)
	}
	size, payload, err := cellSize(head)
	total := int64(size) + payload
	if err != nil || total > n {
		return 0, errCell
	}
	r.data = append(r.data, head[:size]...)
	if _, err := in.Discard(size); err != nil {
		return 0, noEOF(err)
	}
	if payload > LongBytes {
		l, err := ReadLong(dir, in, payload)
		if err != nil {
			return 0, err
		}
		r.longs = append(r.longs, longAt{len(r.data), l})
		return total, nil
	}
	start := len(r.data)
	r.data = append(r.data, make([]byte, payload)...)
	_, err = io.ReadFull(in, r.data[start:])
	return total, noEOF(err)
}

// cellSize measures the cell that begins with head: its class and length, and its payload.
func cellSize(head []byte) (size int, payload int64, err error) {
	switch Class(head[0]) {
	case ClassNull:
		return 1, 0, nil
	case ClassInt:
		_, used := binary.Varint(head[1:])
		if used <= 0 {
			return 0, 0, errCell
		}
		return 1 + used, 0, nil
	case ClassFloat:
		return 1, 8, nil
	case ClassText, ClassBlob:
		n, used := binary.Uvarint(head[1:])
		if used <= 0 || n > MaxRow {
			return 0, 0, errCell
		}
		return 1 + used, int64(n), nil
	}
	return 0, 0, errCell
}

// Drop closes the files of long cells.
func (r Row) Drop() {
	for _, l := range r.longs {
		l.long.Close()
	}
}

// noEOF keeps an early end from being taken for the end of rows.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

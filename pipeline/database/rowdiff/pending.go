package rowdiff

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// parts is into how many files waiting rows go. One of them is in memory at a time in the end.
const parts = 128

// overhead is about what a waiting row costs beside its bytes.
const overhead = 160

// pending holds the rows of which one state has more than the other has, so far.
type pending struct {
	table  *Table
	each   func(*Change) error
	limit  int
	aside  string
	rows   map[[sha256.Size]byte]*waiting
	size   int
	serial int64
	files  []*part // nil: all is in memory
	cells  []database.Cell
	key    []int // places of the key's columns
}

// waiting is a row of which the first state has count more than the second; of less than nothing
// the second has more.
type waiting struct {
	row    []byte
	long   *database.Batch // the row instead, if some of its cells are in files
	count  int64
	serial int64
}

// cells splits the row.
func (w *waiting) cells(cells []database.Cell) error {
	if w.long != nil {
		return w.long.Cells(cells, 0)
	}
	return database.DecodeRow(cells, w.row)
}

// close drops what is in files.
func (w *waiting) close() {
	if w.long != nil {
		w.long.Release()
	}
}

// part is a file of waiting rows whose keys have something in common.
type part struct {
	file *os.File
	out  *bufio.Writer
}

func newPending(t *Table, o Options, each func(*Change) error) *pending {
	p := &pending{table: t, each: each, limit: o.Memory, aside: o.Aside, rows: map[[sha256.Size]byte]*waiting{}, cells: make([]database.Cell, len(t.Columns))}
	if p.limit == 0 {
		p.limit = 64 << 20
	}
	for _, name := range t.Key {
		p.key = append(p.key, slices.IndexFunc(t.Columns, func(c *database.Column) bool { return c.Name == name }))
	}
	return p
}

// take implements sink. Large cells come back into memory, because files take rows as a whole.
func (p *pending) take(b *database.Batch, count int64, _ bool) error {
	b, err := b.Whole()
	if err != nil {
		return err
	}
	defer b.Release()
	for i := range b.Len() {
		if err := p.add(b.Row(i), count); err != nil {
			return err
		}
	}
	return nil
}

// add counts a row, whose bytes it copies.
func (p *pending) add(row []byte, count int64) error {
	id := sha256.Sum256(row)
	w := p.rows[id]
	if w == nil {
		p.serial++
		p.rows[id] = &waiting{row: slices.Clone(row), count: count, serial: p.serial}
		p.size += len(row) + overhead
	} else if w.count += count; w.count == 0 {
		p.size -= len(w.row) + overhead
		delete(p.rows, id)
	}
	if p.size > p.limit {
		return p.spill()
	}
	return nil
}

// spill moves all rows into files.
func (p *pending) spill() error {
	for len(p.files) < parts {
		file, err := os.CreateTemp(p.aside, ".packstone-rows-")
		if err != nil {
			return fmt.Errorf("put rows aside: %w", err)
		}
		p.files = append(p.files, &part{file: file, out: bufio.NewWriterSize(file, 16<<10)})
		if err := os.Remove(file.Name()); err != nil {
			return fmt.Errorf("put rows aside: %w", err)
		}
	}
	for _, w := range p.sorted() {
		key, err := p.keyOf(w)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(key)
		head := binary.AppendUvarint(binary.AppendVarint(nil, w.count), uint64(len(w.row)))
		out := p.files[int(sum[0])%parts].out
		if _, err := out.Write(append(head, w.row...)); err != nil {
			return fmt.Errorf("put rows aside: %w", err)
		}
	}
	clear(p.rows)
	p.size = 0
	return nil
}

// sorted are the rows that wait, in the order in which they came.
func (p *pending) sorted() []*waiting {
	out := make([]*waiting, 0, len(p.rows))
	for _, w := range p.rows {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b *waiting) int { return cmp.Compare(a.serial, b.serial) })
	return out
}

// keyOf gives the canonical bytes of a row's key, or the whole row where there is none.
func (p *pending) keyOf(w *waiting) ([]byte, error) {
	if len(p.key) == 0 {
		return w.row, nil
	}
	if err := w.cells(p.cells); err != nil {
		return nil, err
	}
	b := database.NewBatch()
	defer b.Release()
	for _, at := range p.key {
		cell, err := p.cells[at].Whole()
		if err != nil {
			return nil, err
		}
		b.Cell(cell)
	}
	b.EndRow()
	return slices.Clone(b.Row(0)), nil
}

// finish tells what is left when both states were read.
func (p *pending) finish() error {
	if p.files == nil {
		return p.tell(p.sorted())
	}
	if err := p.spill(); err != nil {
		return err
	}
	p.limit = int(^uint(0) >> 1) // what lies in one file is held in memory
	for _, f := range p.files {
		if err := p.load(f); err != nil {
			return fmt.Errorf("read rows that were put aside: %w", err)
		}
		if err := p.tell(p.sorted()); err != nil {
			return err
		}
		clear(p.rows)
	}
	return nil
}

func (p *pending) load(f *part) error {
	if err := f.out.Flush(); err != nil {
		return err
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(f.file, 64<<10)
	for {
		count, err := binary.ReadVarint(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		row := make([]byte, n)
		if _, err := io.ReadFull(in, row); err != nil {
			return err
		}
		if err := p.add(row, count); err != nil {
			return err
		}
	}
}

// tell pairs rows that have the same key, and tells all.
func (p *pending) tell(list []*waiting) error {
	partner := map[*waiting]*waiting{}
	if len(p.key) > 0 {
		first := map[string]*waiting{}
		for _, w := range list {
			key, err := p.keyOf(w)
			if err != nil {
				return err
			}
			if other := first[string(key)]; other != nil && other.count > 0 != (w.count > 0) {
				partner[other], partner[w] = w, other
				delete(first, string(key))
				continue
			}
			first[string(key)] = w
		}
	}
	for _, w := range list {
		if err := p.tellRow(w, partner[w]); err != nil {
			return err
		}
	}
	return nil
}

func (p *pending) tellRow(w, other *waiting) (err error) {
	if other != nil && w.serial > other.serial {
		return nil // told with the other
	}
	before, after := w, other
	if w.count < 0 {
		before, after = other, w
	}
	c := &Change{Kind: Changed, Count: 1}
	if before != nil {
		if c.Before, err = p.decode(before); err != nil {
			return err
		}
	}
	if after != nil {
		if c.After, err = p.decode(after); err != nil {
			return err
		}
	}
	switch {
	case after == nil:
		c.Kind, c.Count = Removed, before.count
	case before == nil:
		c.Kind, c.Count = Added, -after.count
	}
	return p.each(c)
}

func (p *pending) decode(w *waiting) ([]database.Cell, error) {
	cells := make([]database.Cell, len(p.table.Columns))
	return cells, w.cells(cells)
}

// close drops what waits in files.
func (p *pending) close() {
	for _, f := range p.files {
		f.file.Close()
	}
}

package postgres

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/packstone/packstone/pipeline/database"
)

// A table mostly lies in the order of its key. order therefore lets rows through a window of some MiB, out of which the
// lowest come first. Rows that come after their place has passed are late: they are sorted apart, by runs in a file
// without a name, and follow at the end. So a table that lies in order costs no disk, any other that of its rows, and
// neither takes memory that grows with it.

const (
	// windowBytes is how many bytes of rows the window holds, and how many late rows are sorted in memory.
	windowBytes = 8 << 20
	// lateBytes is how much the file of late rows may take; then they go on before the table's end.
	lateBytes = 2 << 30
	// longWeight is what a row with values in files counts in the window, so that few files are open.
	longWeight = windowBytes / 16
)

// order hands rows on in the order of their keys, as far as said above.
type order struct {
	keys   *keyEncoder
	send   func(*database.Batch) error
	room   int // bytes that the window holds
	window blocks
	size   int
	passed []byte // the highest key handed on
	out    *database.Batch
	late   lateRows
}

// newOrder gives an order whose late rows wait in a directory; if that is empty, they go on sooner. It must be closed.
func newOrder(keys *keyEncoder, dir string, send func(*database.Batch) error) *order {
	late := lateRows{keys: keys, dir: dir, room: windowBytes, disk: lateBytes}
	return &order{keys: keys, send: send, room: windowBytes, out: database.NewBatch(), late: late}
}

// add takes over a batch.
func (o *order) add(b *database.Batch) error {
	block, err := newBlock(o.keys, b)
	if err != nil {
		return err
	}
	if o.passed != nil {
		if err := o.part(block); err != nil {
			return err
		}
	}
	if !block.more() {
		block.batch.Release()
		return nil
	}
	heap.Push(&o.window, block)
	o.size += block.weight
	for o.size > o.room {
		if err := o.pass(); err != nil {
			return err
		}
	}
	return nil
}

// part takes the late rows out of a block. One with values in files goes on at once.
func (o *order) part(b *block) error {
	n := sort.Search(len(b.rows), func(i int) bool { return bytes.Compare(b.key(i), o.passed) > 0 })
	if n > 0 && b.batch.HasLong() {
		full := b.batch
		b.batch, b.next = database.NewBatch(), n
		return o.sendOn(full)
	}
	for ; b.next < n; b.next++ {
		if err := o.late.add(b.row(b.next), o.sendRow); err != nil {
			return err
		}
	}
	return nil
}

// pass hands on the lowest rows of the window: those of the block that begins with the lowest, up to where another
// block begins.
func (o *order) pass() error {
	lowest := o.window[0]
	n := len(lowest.rows)
	if limit := o.window.second(); limit != nil {
		n = lowest.next + 1
		if bytes.Compare(lowest.key(len(lowest.rows)-1), limit) <= 0 {
			n = len(lowest.rows)
		}
		for n < len(lowest.rows) && bytes.Compare(lowest.key(n), limit) <= 0 {
			n++
		}
	}
	o.passed = append(o.passed[:0], lowest.key(n-1)...)
	if lowest.whole() && n == len(lowest.rows) {
		heap.Pop(&o.window)
		o.size -= lowest.weight
		return o.sendOn(lowest.batch)
	}
	for ; lowest.next < n; lowest.next++ {
		if err := o.sendRow(lowest.row(lowest.next)); err != nil {
			return err
		}
	}
	if lowest.more() {
		heap.Fix(&o.window, 0)
		return nil
	}
	heap.Pop(&o.window)
	o.size -= lowest.weight
	lowest.batch.Release()
	return nil
}

// sendOn hands on a whole batch, after what came before.
func (o *order) sendOn(b *database.Batch) error {
	if o.out.Len() > 0 {
		full := o.out
		o.out = database.NewBatch()
		if err := o.send(full); err != nil {
			return err
		}
	}
	return o.send(b)
}

func (o *order) sendRow(row []byte) error {
	o.out.AppendRow(row)
	if !o.out.Full() {
		return nil
	}
	full := o.out
	o.out = database.NewBatch()
	return o.send(full)
}

// finish hands on all that is left.
func (o *order) finish() error {
	for len(o.window) > 0 {
		if err := o.pass(); err != nil {
			return err
		}
	}
	if err := o.late.drain(o.sendRow); err != nil {
		return err
	}
	if o.out.Len() == 0 {
		return nil
	}
	full := o.out
	o.out = database.NewBatch()
	return o.send(full)
}

func (o *order) close() error {
	for _, b := range o.window {
		b.batch.Release()
	}
	o.window = nil
	return o.late.close()
}

// block is a batch whose rows are sorted.
type block struct {
	batch  *database.Batch
	keys   []byte
	ends   []int // of each key, by row of the batch
	rows   []int // rows of the batch in order
	next   int   // of rows, the first that is still here
	sorted bool  // rows lie in order
	weight int
}

// newBlock takes over a batch.
func newBlock(keys *keyEncoder, batch *database.Batch) (*block, error) {
	b := &block{batch: batch, sorted: true, ends: make([]int, 0, batch.Len()), rows: make([]int, batch.Len())}
	for i := range batch.Len() {
		var err error
		if b.keys, err = keys.appendOf(b.keys, batch, i); err != nil {
			return nil, err
		}
		b.ends, b.rows[i] = append(b.ends, len(b.keys)), i
		b.sorted = b.sorted && (i == 0 || bytes.Compare(b.key(i-1), b.key(i)) <= 0)
	}
	if !b.sorted {
		slices.SortStableFunc(b.rows, func(i, j int) int { return bytes.Compare(b.rowKey(i), b.rowKey(j)) })
	}
	b.weight = database.BatchBytes + len(b.keys) + 16*len(b.rows)
	if batch.HasLong() {
		b.weight = longWeight
	}
	return b, nil
}

// key is the key of the nth row in order, rowKey that of a row of the batch.
func (b *block) key(n int) []byte { return b.rowKey(b.rows[n]) }

func (b *block) rowKey(row int) []byte {
	start := 0
	if row > 0 {
		start = b.ends[row-1]
	}
	return b.keys[start:b.ends[row]]
}

func (b *block) row(n int) []byte { return b.batch.Row(b.rows[n]) }

func (b *block) more() bool { return b.next < len(b.rows) }

// whole says that the batch can go on as it is.
func (b *block) whole() bool { return b.next == 0 && b.sorted }

// blocks is a heap by the lowest key.
type blocks []*block

// Len and the others are what heap.Interface wants.
func (h blocks) Len() int { return len(h) }
func (h blocks) Less(i, j int) bool {
	return bytes.Compare(h[i].key(h[i].next), h[j].key(h[j].next)) < 0
}
func (h blocks) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push appends.
func (h *blocks) Push(x any) { *h = append(*h, x.(*block)) }

// Pop takes the last.
func (h *blocks) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// second is the lowest key but for the first block's; nil if there is no other.
func (h blocks) second() []byte {
	switch {
	case len(h) < 2:
		return nil
	case len(h) > 2 && h.Less(2, 1):
		return h[2].key(h[2].next)
	}
	return h[1].key(h[1].next)
}

// lateRows sorts rows in memory and by runs in a file.
type lateRows struct {
	keys *keyEncoder
	dir  string
	room int             // bytes in memory
	disk int64           // bytes in the file
	held *database.Batch // rows in memory
	size int
	file *os.File
	runs []int64 // where each ends
}

// add takes a row; send gets all rows, sorted, when there is no room for more.
func (l *lateRows) add(row []byte, send func([]byte) error) error {
	if l.held == nil {
		l.held = &database.Batch{}
	}
	l.held.AppendRow(row)
	l.size += len(row)
	switch {
	case l.size < l.room:
		return nil
	case l.dir == "" || l.written() >= l.disk:
		return l.drain(send)
	}
	return l.spill()
}

func (l *lateRows) written() int64 {
	if len(l.runs) == 0 {
		return 0
	}
	return l.runs[len(l.runs)-1]
}

// sorted gives the rows in memory.
func (l *lateRows) sorted() (*block, error) {
	b, err := newBlock(l.keys, l.held)
	l.held, l.size = nil, 0
	return b, err
}

// spill writes the rows in memory as a run.
func (l *lateRows) spill() (err error) {
	if l.file == nil {
		if l.file, err = unnamedFile(l.dir); err != nil {
			return err
		}
	}
	b, err := l.sorted()
	if err != nil {
		return err
	}
	at := l.written()
	w := bufio.NewWriterSize(io.NewOffsetWriter(l.file, at), 256<<10)
	var head [binary.MaxVarintLen64]byte
	for ; b.more(); b.next++ {
		row := b.row(b.next)
		n := binary.PutUvarint(head[:], uint64(len(row)))
		w.Write(head[:n]) // Flush tells the first error
		w.Write(row)
		at += int64(n + len(row))
	}
	l.runs = append(l.runs, at)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("put rows aside to sort them: %w", err)
	}
	return nil
}

// unnamedFile makes a file that vanishes when it is closed.
func unnamedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".packstone-order-*")
	if err != nil {
		return nil, fmt.Errorf("make a file to sort rows in: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make a file to sort rows in: %w", err)
	}
	return f, nil
}

// drain gives all rows in order and forgets them.
func (l *lateRows) drain(send func([]byte) error) error {
	var all merge
	if l.held != nil {
		b, err := l.sorted()
		if err != nil {
			return err
		}
		all = append(all, &run{block: b})
	}
	start := int64(0)
	for _, end := range l.runs {
		in := io.NewSectionReader(l.file, start, end-start)
		all = append(all, &run{keys: l.keys, in: bufio.NewReaderSize(in, 32<<10)})
		start = end
	}
	l.runs = nil
	return all.each(send)
}

func (l *lateRows) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// run gives sorted rows one after another, out of memory or a file.
type run struct {
	block *block
	keys  *keyEncoder
	in    *bufio.Reader
	row   []byte
	key   []byte
}

// next moves to the next row; false at the end.
func (r *run) next() (bool, error) {
	if r.block != nil {
		if !r.block.more() {
			return false, nil
		}
		r.row, r.key = r.block.row(r.block.next), r.block.key(r.block.next)
		r.block.next++
		return true, nil
	}
	n, err := binary.ReadUvarint(r.in)
	if err == io.EOF {
		return false, nil
	}
	if err == nil {
		r.row = slices.Grow(r.row[:0], int(n))[:n]
		_, err = io.ReadFull(r.in, r.row)
	}
	if err == nil {
		r.key, err = r.keys.append(r.key[:0], r.row)
	}
	if err != nil {
		return false, fmt.Errorf("read sorted rows back: %w", err)
	}
	return true, nil
}

// merge is a heap of runs by the key of their row.
type merge []*run

// Len and the others are what heap.Interface wants.
func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return bytes.Compare(m[i].key, m[j].key) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }

// Push appends.
func (m *merge) Push(x any) { *m = append(*m, x.(*run)) }

// Pop takes the last.
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// each gives the rows of all runs in order.
func (m merge) each(send func([]byte) error) error {
	var open merge
	for _, r := range m {
		more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			open = append(open, r)
		}
	}
	heap.Init(&open)
	for len(open) > 0 {
		if err := send(open[0].row); err != nil {
			return err
		}
		more, err := open[0].next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&open, 0)
		default:
			heap.Pop(&open)
		}
	}
	return nil
}

package postgres

import "github.com/packstone/packstone/pipeline/database"

// A table mostly lies in the order of its key. order therefore lets rows through a window of some
// MiB, out of which the lowest come first. Rows that come after their place has passed are late:
// they are sorted apart, by runs in a file without a name, and follow at the end. So a table that
// lies in order costs no disk, any other that of its rows, and neither takes memory that grows with
// it.

const (
	// windowBytes is how many bytes of rows the window holds, and how many late rows are sorted in
	// memory.
	windowBytes = 8 << 20
	// lateBytes is how much the file of late rows may take; then they go on before the table's end.
	lateBytes = 2 << 30
	// longWeight is what a row with values in files counts in the window, so that few files are
	// open.
	longWeight = windowBytes / 16
)

// order hands rows on in the order of their keys, as far as said above.
type order struct {
	keys   *keyEncoder
	send   func(*database.Batch) error
	room   int // bytes that the window holds
	window queue[*block]
	size   int
	passed sortKey // the highest key handed on; nil: none
	out    *database.Batch
	late   *lateRows
	spare  []*block
}

// newOrder gives an order whose late rows wait in a directory; if that is empty, they go on sooner.
// It must be closed.
func newOrder(keys *keyEncoder, dir string, send func(*database.Batch) error) *order {
	late := &lateRows{keys: keys, dir: dir, room: windowBytes, disk: lateBytes}
	return &order{keys: keys, send: send, room: windowBytes, out: database.NewBatch(), late: late}
}

// add takes over a batch.
func (o *order) add(b *database.Batch) error {
	block := o.block(b)
	if err := block.fill(o.keys); err != nil {
		return err
	}
	if o.passed.key != nil {
		if err := o.part(block); err != nil {
			return err
		}
	}
	if !block.more() {
		o.release(block)
		return nil
	}
	block.sort()
	o.window.push(block)
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
	if !b.listed {
		if b.first.compare(o.passed) > 0 {
			return nil
		}
		if err := b.list(); err != nil {
			return err
		}
	}
	kept := b.rows[:0]
	for _, row := range b.rows {
		if b.keyOf(row).compare(o.passed) > 0 {
			kept = append(kept, row)
			continue
		}
		if b.batch.HasLong() {
			full := b.batch
			b.batch, b.rows = database.NewBatch(), nil
			return o.sendOn(full)
		}
		if err := o.late.add(b.batch.Row(row.row), b.keyOf(row), o.sendRow); err != nil {
			return err
		}
	}
	b.rows = kept
	return nil
}

// pass hands on the lowest rows of the window: those of the block that begins with the lowest, up
// to where another block begins.
func (o *order) pass() error {
	lowest := o.window[0]
	n, last, err := lowest.upTo(o.window.second())
	if err != nil {
		return err
	}
	o.passed.set(last)
	if lowest.whole() && n == lowest.len() {
		full := lowest.batch
		lowest.batch = nil
		o.drop()
		return o.sendOn(full)
	}
	for ; lowest.next < n; lowest.next++ { // it is listed: it would go on whole else
		if err := o.sendRow(lowest.row()); err != nil {
			return err
		}
	}
	if lowest.more() {
		o.window.settle()
	} else {
		o.drop()
	}
	return nil
}

// drop takes the first block, whose rows are gone, out of the window.
func (o *order) drop() {
	gone := o.window.pop()
	o.size -= gone.weight
	o.release(gone)
}

// block takes over a batch.
func (o *order) block(batch *database.Batch) *block {
	if n := len(o.spare); n > 0 {
		b := o.spare[n-1]
		o.spare = o.spare[:n-1]
		b.batch = batch
		return b
	}
	return newBlock(batch)
}

// release keeps the memory of a block whose rows are gone.
func (o *order) release(b *block) {
	if b.batch != nil {
		b.batch.Release()
	}
	b.batch = nil
	b.reset()
	o.spare = append(o.spare, b)
}

// sendOn hands on a whole batch, after what came before.
func (o *order) sendOn(b *database.Batch) error {
	if err := o.flush(); err != nil {
		return err
	}
	return o.send(b)
}

func (o *order) sendRow(row []byte) error {
	o.out.AppendRow(row)
	if o.out.Full() {
		return o.flush()
	}
	return nil
}

func (o *order) flush() error {
	if o.out.Len() == 0 {
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
	return o.flush()
}

func (o *order) close() error {
	for _, b := range o.window {
		b.batch.Release()
	}
	o.window = nil
	return o.late.close()
}

// queue is a heap: the first of it comes before all others.
type queue[T interface{ Before(T) bool }] []T

func (q *queue[T]) push(one T) {
	*q = append(*q, one)
	h := *q
	for i := len(h) - 1; i > 0 && h[i].Before(h[(i-1)/2]); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (q *queue[T]) pop() T {
	h := *q
	first, last := h[0], len(h)-1
	h[0] = h[last]
	clear(h[last:])
	*q = h[:last]
	q.settle()
	return first
}

// settle finds the place of a first element that has changed.
func (q queue[T]) settle() {
	for i := 0; ; {
		lowest := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q); child++ {
			if q[child].Before(q[lowest]) {
				lowest = child
			}
		}
		if lowest == i {
			return
		}
		q[i], q[lowest] = q[lowest], q[i]
		i = lowest
	}
}

// second is what would be first without the first; the zero value if there is no other.
func (q queue[T]) second() (none T) {
	switch {
	case len(q) < 2:
		return none
	case len(q) > 2 && q[2].Before(q[1]):
		return q[2]
	}
	return q[1]
}

package postgres

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// sortKey is a key and, to compare faster, its first 16 bytes as numbers.
type sortKey struct {
	high, low uint64
	key       []byte
}

func newSortKey(key []byte) sortKey {
	k := sortKey{key: key}
	k.high, k.low = prefix(key)
	return k
}

func prefix(key []byte) (high, low uint64) {
	if len(key) >= 16 {
		return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
	}
	var padded [16]byte
	copy(padded[:], key)
	return binary.BigEndian.Uint64(padded[:]), binary.BigEndian.Uint64(padded[8:])
}

func (k sortKey) compare(other sortKey) int {
	switch {
	case k.high != other.high:
		return cmp.Compare(k.high, other.high)
	case k.low != other.low:
		return cmp.Compare(k.low, other.low)
	}
	return bytes.Compare(k.key, other.key)
}

// set copies a key, whose bytes may change afterwards.
func (k *sortKey) set(other sortKey) {
	*k = sortKey{other.high, other.low, append(k.key[:0], other.key...)}
}

// block is a batch whose rows can be sorted. While they lie in order, and no other block's rows
// between them, it knows the first key and the last only; listed says that it knows all.
type block struct {
	batch       *database.Batch
	encoder     *keyEncoder
	first, last sortKey // unless listed
	listed      bool
	keys        []byte
	ends        []int32    // of each key, by row of the batch
	rows        []blockRow // in order, once sorted
	next        int        // of rows, the first that is still here
	sorted      bool
	weight      int
}

// blockRow is a row of the batch and the beginning of its key.
type blockRow struct {
	high, low uint64
	row       int
}

// newBlock takes over a batch; add and fill add to it.
func newBlock(batch *database.Batch) *block { return &block{batch: batch, sorted: true, listed: true} }

// fill adds the rows of the block's own batch.
func (b *block) fill(keys *keyEncoder) error {
	b.encoder = keys
	n := b.batch.Len()
	if n == 0 {
		return nil
	}
	if b.batch.HasLong() {
		b.weight = longWeight
		return b.list()
	}
	size, err := b.scan()
	if err == nil && !b.sorted {
		err = b.list()
		size = len(b.keys)
	}
	b.weight = database.BatchBytes + size + 28*n
	return err
}

// scan looks whether the rows are sorted, and how many bytes their keys have.
func (b *block) scan() (size int, err error) {
	b.listed, b.sorted = false, true
	for i := range b.batch.Len() {
		start := len(b.keys)
		if start > 4096 { // all but the last key are of no use any more
			start = copy(b.keys, b.last.key)
			b.last.key = b.keys[:start]
		}
		if b.keys, err = b.encoder.append(b.keys[:start], b.batch.Row(i)); err != nil {
			return 0, err
		}
		key := newSortKey(b.keys[start:])
		if i == 0 {
			b.first.set(key)
		} else if b.last.compare(key) > 0 {
			b.sorted = false
			return 0, nil
		}
		b.last = key
		size += len(key.key)
	}
	return size, nil
}

// list finds the keys of all rows.
func (b *block) list() error {
	n := b.batch.Len()
	b.listed, b.sorted = true, true
	b.keys, b.ends, b.rows = slices.Grow(b.keys[:0], 16*n), slices.Grow(b.ends[:0], n), slices.Grow(b.rows[:0], n)
	for i := range n {
		var err error
		start := len(b.keys)
		if b.keys, err = b.encoder.appendOf(b.keys, b.batch, i); err != nil {
			return err
		}
		b.note(newSortKey(b.keys[start:]))
	}
	return nil
}

// add appends a row to the batch.
func (b *block) add(row []byte, key sortKey) {
	b.batch.AppendRow(row)
	b.keys = append(b.keys, key.key...)
	b.note(key)
}

// note takes the last row of the batch, whose key is the last of keys.
func (b *block) note(key sortKey) {
	n := len(b.rows)
	b.sorted = b.sorted && (n == 0 || b.keyOf(b.rows[n-1]).compare(key) <= 0)
	b.ends = append(b.ends, int32(len(b.keys)))
	b.rows = append(b.rows, blockRow{key.high, key.low, n})
}

func (b *block) keyOf(r blockRow) sortKey {
	start := int32(0)
	if r.row > 0 {
		start = b.ends[r.row-1]
	}
	return sortKey{r.high, r.low, b.keys[start:b.ends[r.row]]}
}

func (b *block) sort() {
	if b.sorted {
		return
	}
	slices.SortFunc(b.rows, func(x, y blockRow) int {
		switch {
		case x.high != y.high:
			return cmp.Compare(x.high, y.high)
		case x.low != y.low:
			return cmp.Compare(x.low, y.low)
		}
		return cmp.Or(bytes.Compare(b.keyOf(x).key, b.keyOf(y).key), cmp.Compare(x.row, y.row))
	})
}

func (b *block) more() bool { return b.next < b.len() }

// len is how many rows the block has, or had.
func (b *block) len() int {
	if b.listed {
		return len(b.rows)
	}
	return b.batch.Len()
}

// row is the next row, head its key, tail that of the last.
func (b *block) row() []byte { return b.batch.Row(b.rows[b.next].row) }

func (b *block) head() sortKey {
	if !b.listed {
		return b.first
	}
	return b.keyOf(b.rows[b.next])
}

func (b *block) tail() sortKey {
	if !b.listed {
		return b.last
	}
	return b.keyOf(b.rows[len(b.rows)-1])
}

// Before compares the next rows of two blocks.
func (b *block) Before(other *block) bool { return b.head().compare(other.head()) < 0 }

// whole says that the batch can go on as it is.
func (b *block) whole() bool { return b.next == 0 && b.sorted && b.len() == b.batch.Len() }

// upTo counts the rows, from the first, that do not come after the head of another block; nil: all.
// It is the next at least. key is that of the last of them.
func (b *block) upTo(other *block) (n int, key sortKey, err error) {
	if other == nil || b.tail().compare(other.head()) <= 0 {
		return b.len(), b.tail(), nil
	}
	if !b.listed {
		if err := b.list(); err != nil {
			return 0, key, err
		}
	}
	limit := other.head()
	n = b.next + 1
	for b.keyOf(b.rows[n]).compare(limit) <= 0 {
		n++
	}
	return n, b.keyOf(b.rows[n-1]), nil
}

// reset forgets the rows and keeps the memory of their keys.
func (b *block) reset() {
	b.keys, b.ends, b.rows, b.next, b.sorted, b.listed = b.keys[:0], b.ends[:0], b.rows[:0], 0, true, true
}

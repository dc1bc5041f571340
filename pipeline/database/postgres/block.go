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

// block is a batch whose rows can be sorted.
type block struct {
	batch  *database.Batch
	keys   []byte
	ends   []int32    // of each key, by row of the batch
	rows   []blockRow // in order, once sorted
	next   int        // of rows, the first that is still here
	sorted bool
	weight int
}

// blockRow is a row of the batch and the beginning of its key.
type blockRow struct {
	high, low uint64
	row       int
}

// newBlock takes over a batch.
func newBlock(batch *database.Batch) *block { return &block{batch: batch, sorted: true} }

// fill adds the rows of the block's own batch.
func (b *block) fill(keys *keyEncoder) error {
	n := b.batch.Len()
	b.keys, b.ends, b.rows = slices.Grow(b.keys, 16*n), slices.Grow(b.ends, n), slices.Grow(b.rows, n)
	for i := range n {
		var err error
		start := len(b.keys)
		if b.keys, err = keys.appendOf(b.keys, b.batch, i); err != nil {
			return err
		}
		b.note(newSortKey(b.keys[start:]))
	}
	b.weight = database.BatchBytes + cap(b.keys) + 28*n
	if b.batch.HasLong() {
		b.weight = longWeight
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

func (b *block) more() bool { return b.next < len(b.rows) }

// row is the next row, head its key.
func (b *block) row() []byte   { return b.batch.Row(b.rows[b.next].row) }
func (b *block) head() sortKey { return b.keyOf(b.rows[b.next]) }

// Before compares the next rows of two blocks.
func (b *block) Before(other *block) bool { return b.head().compare(other.head()) < 0 }

// whole says that the batch can go on as it is.
func (b *block) whole() bool { return b.next == 0 && b.sorted && len(b.rows) == b.batch.Len() }

// upTo counts the rows, from the first, that do not come after the head of another block; nil: all.
// It is the next at least.
func (b *block) upTo(other *block) int {
	if other == nil {
		return len(b.rows)
	}
	limit := other.head()
	if b.keyOf(b.rows[len(b.rows)-1]).compare(limit) <= 0 {
		return len(b.rows)
	}
	n := b.next + 1
	for b.keyOf(b.rows[n]).compare(limit) <= 0 {
		n++
	}
	return n
}

// reset forgets the rows and keeps the memory of their keys.
func (b *block) reset() {
	b.keys, b.ends, b.rows, b.next, b.sorted = b.keys[:0], b.ends[:0], b.rows[:0], 0, true
}

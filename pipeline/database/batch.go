package database

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"
)

// Class is a cell's storage class.
type Class byte

// Storage classes; their numbers are part of the format.
const (
	ClassNull  Class = 0
	ClassInt   Class = 1 // zigzag varint
	ClassFloat Class = 2 // 8 bytes, IEEE 754, big-endian
	ClassText  Class = 3 // uvarint length, bytes
	ClassBlob  Class = 4 // uvarint length, bytes
)

// Cell is one value. Which field counts depends on Class.
type Cell struct {
	Class Class
	Int   int64
	Float float64
	Bytes []byte // text or blob
	Long  *Long  // text or blob in place of Bytes; only Batch.Cells gives such
}

// BatchBytes is the size at which a batch is handed on. A row that is bigger
// makes a batch of its own.
const BatchBytes = 256 << 10

// keptBytes is the largest buffer that goes back to the pool.
const keptBytes = 4 * BatchBytes

var batches = sync.Pool{New: func() any { return new(Batch) }}

// Batch holds rows in canonical form: their cells one after another, each a
// class byte and its payload. It has one owner at a time and is not safe for
// concurrent use.
type Batch struct {
	data  []byte
	ends  []int // end of each row in data
	longs []longAt
	sum   Summer // of all rows, where it has as many
}

// EachBatch calls f for every batch that next gives, until that gives io.EOF,
// and releases each.
func EachBatch(next func() (*Batch, error), f func(*Batch) error) error {
	for {
		b, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = f(b)
		b.Release()
		if err != nil {
			return err
		}
	}
}

// NewBatch returns an empty batch.
func NewBatch() *Batch { return batches.Get().(*Batch) }

// Release gives the batch back. Neither it nor any cell of it may be used after.
func (b *Batch) Release() {
	if cap(b.data) > keptBytes {
		b.data = nil
	}
	b.Reset()
	batches.Put(b)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.long().Drop()
	b.data, b.ends, b.longs, b.sum = b.data[:0], b.ends[:0], nil, Summer{}
}

// Null adds a null cell to the open row.
func (b *Batch) Null() { b.data = append(b.data, byte(ClassNull)) }

// Int adds an int.
func (b *Batch) Int(v int64) {
	b.data = binary.AppendVarint(append(b.data, byte(ClassInt)), v)
}

// Uint adds an unsigned value: an int, or its decimal text above 2^63-1.
func (b *Batch) Uint(v uint64) {
	if v <= math.MaxInt64 {
		b.Int(int64(v))
		return
	}
	var digits [20]byte
	b.Text(appendUint(digits[:0], v))
}

// Bool adds an int 0 or 1.
func (b *Batch) Bool(v bool) {
	if v {
		b.Int(1)
		return
	}
	b.Int(0)
}

// Float adds a float; all NaN become one.
func (b *Batch) Float(v float64) {
	bits := math.Float64bits(v)
	if v != v {
		bits = 0x7ff8000000000000
	}
	b.data = binary.BigEndian.AppendUint64(append(b.data, byte(ClassFloat)), bits)
}

// Text adds a copy of text; the caller answers for its canonical form.
func (b *Batch) Text(v []byte) { b.sized(ClassText, v) }

// String adds a text.
func (b *Batch) String(v string) {
	b.data = binary.AppendUvarint(append(b.data, byte(ClassText)), uint64(len(v)))
	b.data = append(b.data, v...)
}

// Blob adds a copy of bytes.
func (b *Batch) Blob(v []byte) { b.sized(ClassBlob, v) }

func (b *Batch) sized(class Class, v []byte) {
	if need := len(v) + 16; need > BatchBytes && cap(b.data)-len(b.data) < need {
		grown := make([]byte, len(b.data), len(b.data)+need) // append would take a quarter more
		b.data = grown[:copy(grown, b.data)]
	}
	b.data = binary.AppendUvarint(append(b.data, byte(class)), uint64(len(v)))
	b.data = append(b.data, v...)
}

// Cell adds a cell of any class; a long one is taken over.
func (b *Batch) Cell(c Cell) {
	if c.Long != nil {
		b.Long(c.Class, c.Long)
		return
	}
	switch c.Class {
	case ClassInt:
		b.Int(c.Int)
	case ClassFloat:
		b.Float(c.Float)
	case ClassText:
		b.Text(c.Bytes)
	case ClassBlob:
		b.Blob(c.Bytes)
	default:
		b.Null()
	}
}

// EndRow closes the open row; cells that follow belong to the next one.
func (b *Batch) EndRow() { b.ends = append(b.ends, len(b.data)) }

// Undo takes back the cells of the open row.
func (b *Batch) Undo() { b.data = b.data[:b.start(len(b.ends))] }

// Take is Cells, after which the row's long cells belong to the caller.
func (b *Batch) Take(cells []Cell, i int) error {
	err := b.Cells(cells, i)
	if err == nil {
		b.longs = nil
	}
	return err
}

// Detach moves the open row into a batch of its own, which it returns.
func (b *Batch) Detach() *Batch {
	open := NewBatch()
	open.data = append(open.data, b.data[b.start(len(b.ends)):]...)
	b.Undo()
	return open
}

// AppendRow adds a whole row in canonical form.
func (b *Batch) AppendRow(row []byte) {
	b.data = append(b.data, row...)
	b.EndRow()
}

// Full says that it is time to hand the batch on.
func (b *Batch) Full() bool { return len(b.data) >= BatchBytes }

// Len is the number of rows.
func (b *Batch) Len() int { return len(b.ends) }

// Size is the number of canonical bytes.
func (b *Batch) Size() int { return int(b.long().Size()) }

// Row returns the canonical bytes of row i; they are the batch's own.
func (b *Batch) Row(i int) []byte { return b.data[b.start(i):b.ends[i]:b.ends[i]] }

func (b *Batch) start(i int) int {
	if i == 0 {
		return 0
	}
	return b.ends[i-1]
}

var errCell = errors.New("decode row: malformed cell")

// NextCell takes the first cell off a row's canonical bytes and returns what is
// left. The cell's bytes alias the row's. It never panics: a malformed row is an
// error.
func NextCell(row []byte) (c Cell, rest []byte, err error) {
	if len(row) == 0 {
		return Cell{}, nil, errCell
	}
	c.Class, row = Class(row[0]), row[1:]
	switch c.Class {
	case ClassNull:
		return c, row, nil
	case ClassInt:
		v, n := binary.Varint(row)
		if n <= 0 {
			return Cell{}, nil, errCell
		}
		c.Int = v
		return c, row[n:], nil
	case ClassFloat:
		if len(row) < 8 {
			return Cell{}, nil, errCell
		}
		c.Float = math.Float64frombits(binary.BigEndian.Uint64(row))
		return c, row[8:], nil
	case ClassText, ClassBlob:
		n, used := binary.Uvarint(row)
		if used <= 0 || n > uint64(len(row)-used) {
			return Cell{}, nil, errCell
		}
		end := used + int(n)
		c.Bytes = row[used:end:end]
		return c, row[end:], nil
	}
	return Cell{}, nil, errCell
}

// DecodeRow splits a row into exactly len(cells) cells.
func DecodeRow(cells []Cell, row []byte) (err error) {
	for i := range cells {
		if cells[i], row, err = NextCell(row); err != nil {
			return err
		}
	}
	if len(row) != 0 {
		return errCell
	}
	return nil
}

func appendUint(dst []byte, v uint64) []byte {
	if v >= 10 {
		dst = appendUint(dst, v/10)
	}
	return append(dst, byte('0'+v%10))
}

package btree

import (
	"encoding/binary"
	"math"
)

// farBytes is the size from which a record refers to a value instead of copying it.
const farBytes = 64 << 10

// Record is a row that is put together value by value. The zero value is an empty one. Large values
// are not copied: they stay as they are until the record is appended.
type Record struct {
	types  []byte
	body   []byte
	far    []farValue
	size   int64 // of all values
	header []byte
	pieces [][]byte
}

// farValue is a value that stands before body[at:].
type farValue struct {
	at    int
	bytes []byte
}

// Reset begins another row.
func (r *Record) Reset() {
	clear(r.far)
	r.types, r.body, r.far, r.size = r.types[:0], r.body[:0], r.far[:0], 0
}

// Null adds a null.
func (r *Record) Null() { r.types = append(r.types, 0) }

// Int adds an integer, in as few bytes as hold it.
func (r *Record) Int(v int64) {
	switch {
	case v == 0 || v == 1:
		r.types = append(r.types, byte(8+v))
	case v == int64(int8(v)):
		r.number(1, uint64(v), 1)
	case v == int64(int16(v)):
		r.number(2, uint64(v), 2)
	case v >= -1<<23 && v < 1<<23:
		r.number(3, uint64(v), 3)
	case v == int64(int32(v)):
		r.number(4, uint64(v), 4)
	case v >= -1<<47 && v < 1<<47:
		r.number(5, uint64(v), 6)
	default:
		r.number(6, uint64(v), 8)
	}
}

// number adds the last bytes of a number in big-endian order.
func (r *Record) number(kind byte, v uint64, bytes int) {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], v)
	r.types = append(r.types, kind)
	r.body = append(r.body, all[8-bytes:]...)
	r.size += int64(bytes)
}

// Float adds a floating-point number.
func (r *Record) Float(v float64) { r.number(7, math.Float64bits(v), 8) }

// Text adds a text, which must be UTF-8.
func (r *Record) Text(v []byte) { r.value(13, v) }

// Blob adds bytes.
func (r *Record) Blob(v []byte) { r.value(12, v) }

func (r *Record) value(kind uint64, v []byte) {
	r.types = appendVarint(r.types, kind+2*uint64(len(v)))
	r.size += int64(len(v))
	if len(v) >= farBytes {
		r.far = append(r.far, farValue{len(r.body), v})
		return
	}
	r.body = append(r.body, v...)
}

// Size is how many bytes the row takes in the file, its number left out.
func (r *Record) Size() int64 { return int64(headerSize(len(r.types))) + r.size }

// headerSize is that of types and of the number that says it.
func headerSize(types int) int {
	size := types + 1
	if varintBytes(uint64(size)) > 1 {
		size = types + varintBytes(uint64(types)+2)
	}
	return size
}

// parts are the bytes of the row; they are good until the record changes.
func (r *Record) parts() [][]byte {
	r.header = append(appendVarint(r.header[:0], uint64(headerSize(len(r.types)))), r.types...)
	r.pieces = append(r.pieces[:0], r.header)
	from := 0
	for _, f := range r.far {
		r.pieces = append(r.pieces, r.body[from:f.at], f.bytes)
		from = f.at
	}
	r.pieces = append(r.pieces, r.body[from:])
	return r.pieces
}

// appendVarint appends a number in SQLite's form: seven bits a byte, the highest first; the ninth
// byte has eight.
func appendVarint(dst []byte, v uint64) []byte {
	if v < 1<<7 {
		return append(dst, byte(v))
	}
	if v >= 1<<56 {
		for shift := 57; shift >= 8; shift -= 7 {
			dst = append(dst, byte(v>>shift)|0x80)
		}
		return append(dst, byte(v))
	}
	for shift := (varintBytes(v) - 1) * 7; shift > 0; shift -= 7 {
		dst = append(dst, byte(v>>shift)|0x80)
	}
	return append(dst, byte(v)&0x7f)
}

func varintBytes(v uint64) int {
	n := 1
	for v >>= 7; v > 0 && n < 9; v >>= 7 {
		n++
	}
	return n
}

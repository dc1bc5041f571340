package btree

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/packstone/packstone/pipeline/database"
)

// errRecord is a row whose bytes are no record.
var errRecord = fmt.Errorf("%w: its bytes are no record", ErrDamaged)

// Values are those of a row, one after the other.
type Values struct{ types, body []byte }

// begin takes a record.
func (v *Values) begin(record []byte) error {
	header, n := varint(record)
	if n == 0 || header < uint64(n) || header > uint64(len(record)) {
		return errRecord
	}
	v.types, v.body = record[n:header], record[header:]
	return nil
}

// Next gives the next value as SQLite keeps it; ok is false after the last one. Bytes are good as
// long as the row.
func (v *Values) Next() (cell database.Cell, ok bool, err error) {
	if len(v.types) == 0 {
		return cell, false, nil
	}
	kind, n := varint(v.types)
	if n == 0 {
		return cell, false, errRecord
	}
	size := sizeOf(kind)
	if size > uint64(len(v.body)) {
		return cell, false, errRecord
	}
	value := v.body[:size]
	v.types, v.body = v.types[n:], v.body[size:]
	cell, err = decode(kind, value)
	return cell, err == nil, err
}

// sizeOf is how many bytes a value of a kind takes.
func sizeOf(kind uint64) uint64 {
	if kind >= 12 {
		return (kind - 12) / 2
	}
	return uint64([12]byte{0, 1, 2, 3, 4, 6, 8, 8}[kind])
}

func decode(kind uint64, value []byte) (database.Cell, error) {
	switch {
	case kind >= 12 && kind%2 == 0:
		return database.Cell{Class: database.ClassBlob, Bytes: value}, nil
	case kind >= 12:
		return database.Cell{Class: database.ClassText, Bytes: value}, nil
	case kind == 0:
		return database.Cell{}, nil
	case kind == 7:
		return decodeFloat(value), nil
	case kind == 8 || kind == 9:
		return database.Cell{Class: database.ClassInt, Int: int64(kind - 8)}, nil
	case kind > 9:
		return database.Cell{}, errRecord
	}
	number := int64(int8(value[0]))
	for _, b := range value[1:] {
		number = number<<8 | int64(b)
	}
	return database.Cell{Class: database.ClassInt, Int: number}, nil
}

// decodeFloat reads what is not a number as null, as SQLite does.
func decodeFloat(value []byte) database.Cell {
	f := math.Float64frombits(binary.BigEndian.Uint64(value))
	if math.IsNaN(f) {
		return database.Cell{}
	}
	return database.Cell{Class: database.ClassFloat, Float: f}
}

// varint reads a number in SQLite's form; n is 0 where the bytes end before it.
func varint(p []byte) (v uint64, n int) {
	for n < len(p) && n < 8 {
		b := p[n]
		v = v<<7 | uint64(b&0x7f)
		if n++; b < 0x80 {
			return v, n
		}
	}
	if n < 8 || len(p) < 9 {
		return 0, 0
	}
	return v<<8 | uint64(p[8]), 9
}

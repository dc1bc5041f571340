package postgres

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/packstone/packstone/pipeline/database"
)

// keyEncoder makes sort keys: bytes that compare as the cells of some columns do. Text compares by
// its bytes, whatever collation the server would use: all that is wanted is an order that does not
// change.
type keyEncoder struct {
	columns []int // places in a row, in the order of the key
	numeric []bool
	leading bool            // the key is the row's first columns
	cells   []database.Cell // of a row, up to the last column of the key
	all     []database.Cell
}

// newKeyEncoder gives nil for a table without a key.
func newKeyEncoder(t *database.Table) *keyEncoder {
	k := &keyEncoder{}
	last := 0
	for _, name := range t.Order {
		for i, c := range t.Columns {
			if c.Name == name {
				k.columns, k.numeric = append(k.columns, i), append(k.numeric, c.Type.Kind == database.Decimal)
				last = max(last, i)
			}
		}
	}
	if len(k.columns) == 0 {
		return nil
	}
	k.leading = true
	for i, column := range k.columns {
		k.leading = k.leading && i == column
	}
	k.all = make([]database.Cell, len(t.Columns))
	k.cells = k.all[:last+1]
	return k
}

// append adds the key of a row.
func (k *keyEncoder) append(dst, row []byte) (_ []byte, err error) {
	if k.leading {
		return k.appendLeading(dst, row)
	}
	for i := range k.cells {
		if k.cells[i], row, err = database.NextCell(row); err != nil {
			return dst, err
		}
	}
	return k.appendCells(dst), nil
}

// appendLeading needs to keep no cells.
func (k *keyEncoder) appendLeading(dst, row []byte) ([]byte, error) {
	for _, numeric := range k.numeric {
		cell, rest, err := database.NextCell(row)
		if err != nil {
			return dst, err
		}
		dst, row = appendKey(dst, cell, numeric), rest
	}
	return dst, nil
}

// appendOf adds the key of a batch's row.
func (k *keyEncoder) appendOf(dst []byte, b *database.Batch, row int) ([]byte, error) {
	if !b.HasLong() {
		return k.append(dst, b.Row(row))
	}
	if err := b.Cells(k.all, row); err != nil {
		return dst, err
	}
	return k.appendCells(dst), nil
}

func (k *keyEncoder) appendCells(dst []byte) []byte {
	for i, column := range k.columns {
		dst = appendKey(dst, k.cells[column], k.numeric[i])
	}
	return dst
}

// appendKey adds a cell: its class, then bytes of which none is the beginning of another's.
func appendKey(dst []byte, c database.Cell, numeric bool) []byte {
	switch c.Class {
	case database.ClassInt:
		return binary.BigEndian.AppendUint64(append(dst, 1), uint64(c.Int)^1<<63)
	case database.ClassFloat:
		bits := math.Float64bits(c.Float)
		if bits>>63 != 0 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(append(dst, 1), bits)
	case database.ClassNull:
		return append(dst, 0)
	}
	if numeric {
		return appendNumber(append(dst, 2), c.Bytes)
	}
	return appendZeroEnded(append(dst, 3), c.Bytes)
}

// appendZeroEnded ends bytes by two zeros; a zero of theirs is followed by 255.
func appendZeroEnded(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, 0)
		if i < 0 {
			return append(append(dst, text...), 0, 0)
		}
		dst = append(append(dst, text[:i]...), 0, 255)
		text = text[i+1:]
	}
}

// appendNumber adds a decimal: its sign, the number of digits before the point, and all digits.
// What is no number, as NaN and Infinity, comes last.
func appendNumber(dst, text []byte) []byte {
	digits := bytes.TrimPrefix(text, []byte("-"))
	negative := len(digits) < len(text)
	if len(digits) == 0 || digits[0] < '0' || digits[0] > '9' {
		return appendZeroEnded(append(dst, 3), text)
	}
	whole, fraction, _ := bytes.Cut(digits, []byte("."))
	whole = bytes.TrimLeft(whole, "0")
	fraction = bytes.TrimRight(fraction, "0")
	size := len(whole)
	if size == 0 {
		rest := bytes.TrimLeft(fraction, "0")
		if len(rest) == 0 {
			return append(dst, 1) // zero
		}
		size, fraction = len(rest)-len(fraction), rest
	}
	dst = append(dst, 2)
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(size))^1<<31)
	dst = append(append(append(dst, whole...), fraction...), 0)
	if negative {
		dst[start-1] = 0
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

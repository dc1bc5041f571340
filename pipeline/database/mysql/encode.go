package mysql

import (
	"bytes"
	"encoding/hex"
	"io"
	"strconv"

	"github.com/packstone/packstone/pipeline/database"
)

// dataStream is the text that LOAD DATA reads: fields between tabs, a line a
// row, tab, line feed and backslash escaped. A long cell is written in pieces.
type dataStream struct {
	*loader
	buffer []byte
	sent   int    // of buffer
	cells  []byte // of the open row, still to be written
	column int
	first  bool   // no field of the row is written
	open   bool   // a row is open
	long   []byte // of a cell, still to be written
	rows   int64
	err    error
	// stopped says that the stream ended before a row that goes alone.
	stopped bool
}

// pieceBytes is how much text is made at a time.
const pieceBytes = 64 << 10

// Read gives the next part of the text.
func (d *dataStream) Read(p []byte) (int, error) {
	for d.sent == len(d.buffer) {
		if d.err != nil {
			return 0, d.err
		}
		d.buffer, d.sent = d.buffer[:0], 0
		if d.stopped {
			return 0, io.EOF
		}
		if err := d.fill(); err == io.EOF && len(d.buffer) == 0 {
			return 0, io.EOF
		} else if err != nil && err != io.EOF {
			d.err = err
		}
	}
	n := copy(p, d.buffer[d.sent:])
	d.sent += n
	return n, nil
}

func (d *dataStream) fill() error {
	for len(d.buffer) < pieceBytes {
		switch {
		case len(d.long) > 0:
			piece := d.long[:min(len(d.long), pieceBytes)]
			d.long = d.long[len(piece):]
			d.buffer = appendEscaped(d.buffer, piece)
		case d.open && d.column == len(d.columns):
			d.buffer = append(d.buffer, '\n')
			d.open = false
		case d.open:
			if err := d.field(); err != nil {
				return err
			}
		default:
			row, err := d.nextRow()
			if err != nil {
				return err
			}
			if d.alone(row, bigRow) {
				d.held, d.stopped = row, true
				return io.EOF
			}
			d.rows++
			d.cells, d.column, d.first, d.open = row, 0, true, true
		}
	}
	return nil
}

// field writes the next cell, or the beginning of a long one.
func (d *dataStream) field() error {
	cell, rest, err := database.NextCell(d.cells)
	if err != nil {
		return err
	}
	how, i := &d.columns[d.column], d.column
	d.cells, d.column = rest, d.column+1
	if how.skip {
		return nil
	}
	if how.check != nil {
		if err := how.check(cell); err != nil {
			return d.reject(i, err)
		}
	}
	if !d.first {
		d.buffer = append(d.buffer, '\t')
	}
	d.first = false
	switch cell.Class {
	case database.ClassNull:
		d.buffer = append(d.buffer, `\N`...)
	case database.ClassInt:
		d.buffer = appendInt(d.buffer, how, cell.Int)
	case database.ClassFloat:
		d.buffer = strconv.AppendFloat(d.buffer, cell.Float, 'g', -1, 64)
	default:
		d.bytes(how, cell.Bytes)
	}
	return nil
}

func (d *dataStream) bytes(how *loadColumn, raw []byte) {
	switch {
	case how.bits:
		d.buffer = appendEscaped(d.buffer, packBits(raw))
		return
	case how.instant:
		raw = bytes.TrimSuffix(raw, []byte("+00:00"))
	case how.empty && len(raw) == 0:
		d.errorsWanted++
	}
	d.long = raw
}

// appendInt writes a year with four digits: '0' would be the year 2000.
func appendInt(dst []byte, how *loadColumn, v int64) []byte {
	if how.year && v >= 0 && v < 1000 {
		dst = append(dst, "0000"[:4-len(strconv.FormatInt(v, 10))]...)
	}
	return strconv.AppendInt(dst, v, 10)
}

func appendEscaped(dst, raw []byte) []byte {
	for {
		i := bytes.IndexAny(raw, "\\\t\n")
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		switch raw[i] {
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = append(dst, `\\`...)
		}
		raw = raw[i+1:]
	}
}

// packBits turns 0 and 1 into bytes, the last bit lowest.
func packBits(digits []byte) []byte {
	out := make([]byte, (len(digits)+7)/8)
	for i, c := range digits {
		if c == '1' {
			at := len(digits) - 1 - i
			out[len(out)-1-at/8] |= 1 << (at % 8)
		}
	}
	return out
}

// appendValues writes a row as (…) of an INSERT statement.
func (l *loader) appendValues(dst, row []byte, more bool) ([]byte, error) {
	if more {
		dst = append(dst, ',')
	}
	dst = append(dst, '(')
	first := true
	for i := range l.columns {
		cell, rest, err := database.NextCell(row)
		if err != nil {
			return dst, err
		}
		row = rest
		how := &l.columns[i]
		if how.skip {
			continue
		}
		if how.check != nil {
			if err := how.check(cell); err != nil {
				return dst, l.reject(i, err)
			}
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = l.appendLiteral(dst, how, cell)
	}
	return append(dst, ')'), nil
}

func (l *loader) appendLiteral(dst []byte, how *loadColumn, c database.Cell) []byte {
	switch c.Class {
	case database.ClassNull:
		return append(dst, "NULL"...)
	case database.ClassInt:
		return append(appendInt(append(dst, '\''), how, c.Int), '\'')
	case database.ClassFloat:
		return strconv.AppendFloat(dst, c.Float, 'e', -1, 64)
	case database.ClassBlob:
		return append(hex.AppendEncode(append(dst, "x'"...), c.Bytes), '\'')
	}
	raw := c.Bytes
	switch {
	case how.bits:
		return append(append(append(dst, "b'"...), raw...), '\'')
	case how.instant:
		raw = bytes.TrimSuffix(raw, []byte("+00:00"))
	case how.empty && len(raw) == 0:
		l.errorsWanted++
	}
	return append(appendQuoted(append(dst, '\''), raw), '\'')
}

func appendQuoted(dst, raw []byte) []byte {
	for {
		i := bytes.IndexAny(raw, `\'`)
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(append(dst, raw[:i]...), raw[i], raw[i])
		raw = raw[i+1:]
	}
}

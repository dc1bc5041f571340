package postgres

import (
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/packstone/packstone/pipeline/database"
)

// pieceBytes is how much of a large cell is encoded at once.
const pieceBytes = 32 << 10

// copyEncoder reads as the text form of COPY of the batches that next gives. It
// holds one batch and at most a few pieces of text, however large a cell is.
type copyEncoder struct {
	next  func() (*database.Batch, error)
	skip  []bool // columns that the server computes
	batch *database.Batch
	row   int
	cells []byte          // what is left of the open row
	split []database.Cell // the open row's cells, where some are long
	open  bool
	col   int
	first bool      // no cell of this row is written yet
	rest  []byte    // what is left of a large cell, or of a piece of a long one
	long  io.Reader // what is left of a long cell
	read  []byte    // of a long cell
	blob  bool      // rest is written in hex
	buf   []byte
	at    int
	err   error // of next, or of a malformed row
	rows  int64
}

// Read fills p.
func (e *copyEncoder) Read(p []byte) (int, error) {
	for e.at == len(e.buf) {
		if e.err != nil {
			return 0, e.err
		}
		e.buf, e.at = e.buf[:0], 0
		for len(e.buf) < pieceBytes && e.err == nil {
			e.err = e.step()
		}
	}
	n := copy(p, e.buf[e.at:])
	e.at += n
	return n, nil
}

// failure is what ended the stream, nil if that was its end.
func (e *copyEncoder) failure() error {
	if e.err == nil || errors.Is(e.err, io.EOF) {
		return nil
	}
	return e.err
}

// step writes one piece: of a large cell, a cell, or the end of a row.
func (e *copyEncoder) step() error {
	switch {
	case len(e.rest) > 0:
		e.piece()
		return nil
	case e.long != nil:
		return e.readLong()
	case e.open && (len(e.cells) > 0 || e.col < len(e.split)):
		return e.cell()
	case e.open:
		e.buf = append(e.buf, '\n')
		e.open = false
		e.rows++
		return nil
	}
	return e.nextRow()
}

func (e *copyEncoder) nextRow() error {
	for e.batch == nil || e.row == e.batch.Len() {
		e.release()
		b, err := e.next()
		if err != nil {
			return err
		}
		e.batch, e.row = b, 0
	}
	e.cells, e.split, e.open, e.first, e.col = e.batch.Row(e.row), nil, true, true, 0
	if e.batch.HasLong() {
		e.cells, e.split = nil, make([]database.Cell, len(e.skip))
		if err := e.batch.Cells(e.split, e.row); err != nil {
			return err
		}
	}
	e.row++
	return nil
}

// readLong takes the next piece of a long cell.
func (e *copyEncoder) readLong() error {
	n, err := e.long.Read(e.read[:cap(e.read)])
	e.rest = e.read[:n]
	if errors.Is(err, io.EOF) {
		e.long, err = nil, nil
	}
	return err
}

// nextCell takes the next cell off the open row.
func (e *copyEncoder) nextCell() (c database.Cell, err error) {
	if e.split != nil {
		return e.split[e.col], nil
	}
	c, e.cells, err = database.NextCell(e.cells)
	return c, err
}

func (e *copyEncoder) release() {
	if e.batch != nil {
		e.batch.Release()
		e.batch = nil
	}
}

func (e *copyEncoder) cell() error {
	c, err := e.nextCell()
	if err != nil {
		return err
	}
	skipped := e.col < len(e.skip) && e.skip[e.col]
	e.col++
	if skipped {
		return nil
	}
	if !e.first {
		e.buf = append(e.buf, '\t')
	}
	e.first = false
	e.value(c)
	return nil
}

func (e *copyEncoder) value(c database.Cell) {
	switch c.Class {
	case database.ClassNull:
		e.buf = append(e.buf, `\N`...)
	case database.ClassInt:
		e.buf = strconv.AppendInt(e.buf, c.Int, 10)
	case database.ClassFloat:
		e.buf = appendFloat(e.buf, c.Float)
	case database.ClassText:
		e.bytes(c)
	case database.ClassBlob:
		e.buf = append(e.buf, `\\x`...)
		e.bytes(c)
	}
}

// bytes begins to write a text or blob.
func (e *copyEncoder) bytes(c database.Cell) {
	e.blob = c.Class == database.ClassBlob
	if c.Long == nil {
		e.rest = c.Bytes
		e.piece()
		return
	}
	e.long = c.Long.Reader()
	if e.read == nil {
		e.read = make([]byte, 8*pieceBytes)
	}
}

func appendFloat(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// piece writes the next part of a cell.
func (e *copyEncoder) piece() {
	n := min(len(e.rest), pieceBytes)
	part := e.rest[:n]
	e.rest = e.rest[n:]
	if e.blob {
		e.buf = hex.AppendEncode(e.buf, part)
		return
	}
	e.buf = appendEscaped(e.buf, part)
}

// appendEscaped escapes what the text form of COPY gives a meaning.
func appendEscaped(dst, text []byte) []byte {
	done := 0
	for i, c := range text {
		var with byte
		switch c {
		case '\\':
			with = '\\'
		case '\n':
			with = 'n'
		case '\r':
			with = 'r'
		case '\t':
			with = 't'
		default:
			continue
		}
		dst = append(append(dst, text[done:i]...), '\\', with)
		done = i + 1
	}
	return append(dst, text[done:]...)
}

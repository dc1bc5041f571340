package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
)

var copySignature = []byte("PGCOPY\n\xff\r\n\x00")

var errCopy = errors.New("decode COPY stream: malformed")

// copyParser turns a binary COPY stream, written to it in pieces of any size,
// into batches.
type copyParser struct {
	columns []decoder
	send    func(*database.Batch) error
	batch   *database.Batch
	pending []byte // an incomplete tuple
	scratch []byte
	begun   bool
	ended   bool
}

func newCopyParser(columns []decoder, send func(*database.Batch) error) *copyParser {
	return &copyParser{columns: columns, send: send, batch: database.NewBatch()}
}

// Write parses p. The server sends a row a message, so that p is rarely copied.
func (c *copyParser) Write(p []byte) (int, error) {
	data := p
	if len(c.pending) > 0 {
		c.pending = append(c.pending, p...)
		data = c.pending
	}
	used, err := c.parse(data)
	if err != nil {
		return 0, err
	}
	c.pending = append(c.pending[:0], data[used:]...)
	return len(p), nil
}

func (c *copyParser) parse(data []byte) (used int, err error) {
	for {
		n, err := c.next(data[used:])
		if n == 0 || err != nil {
			return used, err
		}
		used += n
		if c.batch.Full() {
			if err := c.flush(); err != nil {
				return used, err
			}
		}
	}
}

// next takes the header or one tuple and returns its length, 0 if it is not all
// there yet.
func (c *copyParser) next(data []byte) (int, error) {
	if c.ended && len(data) > 0 {
		return 0, errCopy
	}
	if !c.begun {
		return c.header(data)
	}
	length, complete, err := tupleLength(data, len(c.columns))
	if err != nil || !complete {
		return 0, err
	}
	if length == 2 && len(data) >= 2 && data[0] == 0xff {
		c.ended = true
		return length, nil
	}
	return length, c.tuple(data[2:length])
}

func (c *copyParser) header(data []byte) (int, error) {
	if len(data) < 19 {
		return 0, nil
	}
	if !bytes.HasPrefix(data, copySignature) {
		return 0, errCopy
	}
	extension := binary.BigEndian.Uint32(data[15:])
	if extension > 1<<16 {
		return 0, errCopy
	}
	if len(data) < 19+int(extension) {
		return 0, nil
	}
	c.begun = true
	return 19 + int(extension), nil
}

// tupleLength measures a tuple of this many fields, or the end mark.
func tupleLength(data []byte, fields int) (length int, complete bool, err error) {
	if len(data) < 2 {
		return 0, false, nil
	}
	count := int(int16(binary.BigEndian.Uint16(data)))
	if count == -1 {
		return 2, true, nil
	}
	if count != fields {
		return 0, false, errCopy
	}
	length = 2
	for range count {
		if len(data) < length+4 {
			return 0, false, nil
		}
		size := int(int32(binary.BigEndian.Uint32(data[length:])))
		if size < -1 {
			return 0, false, errCopy
		}
		length += 4 + max(size, 0)
	}
	return length, length <= len(data), nil
}

func (c *copyParser) tuple(data []byte) error {
	for i, decode := range c.columns {
		size := int(int32(binary.BigEndian.Uint32(data)))
		data = data[4:]
		if size < 0 {
			c.batch.Null()
			continue
		}
		if err := decode(c.batch, &c.scratch, data[:size]); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
		data = data[size:]
	}
	c.batch.EndRow()
	return nil
}

func (c *copyParser) flush() error {
	full := c.batch
	c.batch = database.NewBatch()
	return c.send(full)
}

// close hands on the last rows; the stream must have ended.
func (c *copyParser) close() error {
	if !c.ended || len(c.pending) > 0 {
		return errCopy
	}
	if c.batch.Len() == 0 {
		c.batch.Release()
		return nil
	}
	return c.send(c.batch)
}

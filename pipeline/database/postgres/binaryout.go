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

// binaryStream turns a binary COPY stream into batches.
type binaryStream struct {
	rowSink
	column  int // of the open row; -1 between rows
	long    *database.Long
	missing int // bytes of long that are yet to come
	begun   bool
	ended   bool
}

func newBinaryStream(fields []field, aside string, send func(*database.Batch) error) *binaryStream {
	s := &binaryStream{rowSink: rowSink{fields: fields, aside: aside, send: send}, column: -1}
	s.open()
	return s
}

// Write implements io.Writer.
func (s *binaryStream) Write(p []byte) (int, error) { return s.write(p, s.parse) }

func (s *binaryStream) parse(data []byte) (used int, err error) {
	for used < len(data) {
		if s.column < 0 && s.begun && !s.ended {
			n, err := s.rows(data[used:])
			used += n
			if err != nil || used == len(data) {
				return used, err
			}
		}
		n, err := s.next(data[used:])
		if n == 0 || err != nil {
			return used, err
		}
		used += n
	}
	return used, nil
}

// rows takes rows as long as they are there from end to end and have no large value.
func (s *binaryStream) rows(data []byte) (used int, err error) {
	for {
		n, err := s.wholeRow(data[used:])
		if err != nil || n == 0 {
			return used, err
		}
		used += n
		if err := s.endRow(); err != nil {
			return used, err
		}
	}
}

// wholeRow adds the cells of a row; it gives 0 and adds nothing if it is for next to take it.
func (s *binaryStream) wholeRow(data []byte) (used int, err error) {
	if len(data) < 2 || int(int16(binary.BigEndian.Uint16(data))) != len(s.fields) {
		return 0, nil
	}
	used = 2
	for i := range s.fields {
		if len(data) < used+4 {
			s.batch.Undo()
			return 0, nil
		}
		size := int(int32(binary.BigEndian.Uint32(data[used:])))
		used += 4
		switch {
		case size == -1:
			s.batch.Null()
			continue
		case size < 0 || size > len(data)-used || size > database.LongBytes:
			s.batch.Undo()
			return 0, nil
		}
		if err := s.decode(i, data[used:used+size]); err != nil {
			return 0, err
		}
		used += size
	}
	return used, nil
}

func (s *binaryStream) decode(column int, value []byte) error {
	if err := s.fields[column].decode(s.batch, &s.scratch, value); err != nil {
		return fmt.Errorf("column %d: %w", column+1, err)
	}
	return nil
}

// next takes the header, a row's beginning, or one field, and returns its length, 0 if it is not
// all there yet.
func (s *binaryStream) next(data []byte) (n int, err error) {
	switch {
	case s.ended:
		return 0, errCopy
	case !s.begun:
		return s.header(data)
	case s.long != nil:
		return s.piece(data)
	case s.column < 0:
		n, err = s.row(data)
	default:
		n, err = s.field(data)
	}
	if err == nil && !s.ended && s.column == len(s.fields) {
		s.column = -1
		err = s.endRow()
	}
	return n, err
}

func (s *binaryStream) header(data []byte) (int, error) {
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
	s.begun = true
	return 19 + int(extension), nil
}

// row takes the number of a row's fields, or the end mark.
func (s *binaryStream) row(data []byte) (int, error) {
	if len(data) < 2 {
		return 0, nil
	}
	switch int(int16(binary.BigEndian.Uint16(data))) {
	case -1:
		s.ended = true
	case len(s.fields):
		s.column = 0
	default:
		return 0, errCopy
	}
	return 2, nil
}

func (s *binaryStream) field(data []byte) (int, error) {
	if len(data) < 4 {
		return 0, nil
	}
	size := int(int32(binary.BigEndian.Uint32(data)))
	switch {
	case size == -1:
		s.batch.Null()
		s.column++
		return 4, nil
	case size < 0:
		return 0, errCopy
	case size > database.LongBytes && s.mayPutAside(s.column):
		var err error
		s.long, err = s.beginLong()
		s.missing = size
		return 4, err
	case len(data) < 4+size:
		return 0, nil
	}
	if err := s.decode(s.column, data[4:4+size]); err != nil {
		return 0, err
	}
	s.column++
	return 4 + size, nil
}

// piece takes a part of a large value.
func (s *binaryStream) piece(data []byte) (int, error) {
	n := min(len(data), s.missing)
	if _, err := s.long.Write(data[:n]); err != nil {
		return 0, fmt.Errorf("put a large value aside: %w", err)
	}
	if s.missing -= n; s.missing > 0 {
		return n, nil
	}
	s.batch.Long(s.fields[s.column].long, s.long)
	s.long = nil
	if s.column++; s.column < len(s.fields) {
		return n, nil
	}
	s.column = -1
	return n, s.endRow()
}

func (s *binaryStream) close() error {
	if !s.ended || len(s.pending) > 0 {
		return errCopy
	}
	return s.finish()
}

func (s *binaryStream) drop() {
	s.rowSink.drop()
	if s.long != nil {
		s.long.Close()
	}
}

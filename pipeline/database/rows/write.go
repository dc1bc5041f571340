package rows

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/packstone/packstone/pipeline/database"
)

// fingerprint is what a writer remembers of a row.
type fingerprint [16]byte

// Result is what was written of a table.
type Result struct {
	Rows    int64
	Bytes   int64 // of the stream
	Digest  database.Digest
	Changed bool // false: a delta that would change nothing
}

// WriteBase writes all rows of a table as a base run. prints gets the
// fingerprints that the next WriteDelta compares with; nil for none.
func WriteBase(ctx context.Context, w io.Writer, prints io.Writer, r database.Reader, t *database.Table) (Result, error) {
	s := newStreamWriter(w, prints, baseMagic)
	err := r.Rows(ctx, t, func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			row := b.At(i)
			s.print(row)
			s.number(uint64(row.Size()) + 1)
			s.row(row)
		}
		return s.err
	})
	if err != nil {
		return Result{}, fmt.Errorf("write rows of table %s: %w", t.ID(), err)
	}
	return s.finish(true)
}

// streamWriter writes numbers and rows, and keeps the first error.
type streamWriter struct {
	out     *bufio.Writer
	prints  *bufio.Writer
	sum     database.Summer
	written int64
	err     error
	scratch [binary.MaxVarintLen64]byte
	last    [32]byte // hash of the last row
}

// buffers are those of writers that have finished: most tables are smaller than one.
var buffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 64<<10) }}

func newBuffer(w io.Writer) *bufio.Writer {
	b := buffers.Get().(*bufio.Writer)
	b.Reset(w)
	return b
}

func newStreamWriter(w, prints io.Writer, magic string) *streamWriter {
	s := &streamWriter{out: newBuffer(w)}
	if prints != nil {
		s.prints = newBuffer(prints)
	}
	s.bytes([]byte(magic))
	return s
}

func (s *streamWriter) bytes(p []byte) {
	if s.err != nil {
		return
	}
	s.written += int64(len(p))
	_, s.err = s.out.Write(p)
}

func (s *streamWriter) number(v uint64) {
	s.bytes(s.scratch[:binary.PutUvarint(s.scratch[:], v)])
}

// row writes a row's canonical bytes.
func (s *streamWriter) row(row database.Row) {
	if !row.HasLong() {
		s.bytes(row.Bytes())
		return
	}
	if s.err == nil {
		s.written += row.Size()
		_, s.err = row.WriteTo(s.out)
	}
}

// print sums a row and remembers its fingerprint.
func (s *streamWriter) print(row database.Row) (f fingerprint) {
	if !row.HasLong() {
		s.last = s.sum.AddRow(row.Bytes())
	} else if last, err := s.sum.AddLong(row); err == nil {
		s.last = last
	} else if s.err == nil {
		s.err = err
	}
	if s.prints != nil && s.err == nil {
		_, s.err = s.prints.Write(s.last[:len(f)])
	}
	return fingerprint(s.last[:len(f)])
}

// finish ends the stream. Nothing can be written after it.
func (s *streamWriter) finish(changed bool) (Result, error) {
	defer s.release()
	s.number(opEnd)
	s.number(uint64(s.sum.Rows()))
	digest := s.sum.Digest()
	s.bytes(digest[:])
	if s.err == nil {
		s.err = s.out.Flush()
	}
	if s.prints != nil && s.err == nil {
		s.err = s.prints.Flush()
	}
	return Result{Rows: s.sum.Rows(), Bytes: s.written, Digest: digest, Changed: changed}, s.err
}

// release gives the buffers to other writers.
func (s *streamWriter) release() {
	s.out.Reset(nil)
	buffers.Put(s.out)
	if s.prints != nil {
		s.prints.Reset(nil)
		buffers.Put(s.prints)
	}
	s.out, s.prints = nil, nil
}

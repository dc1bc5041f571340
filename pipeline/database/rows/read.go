package rows

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/packstone/packstone/pipeline/database"
)

// Read merges a base and its deltas and sends the rows in batches. The
// result's digest is checked; a stream that is cut short or altered is an error.
// Large cells go to files in the directory aside; if that is empty, they are held
// in memory.
func Read(ctx context.Context, runs []io.Reader, aside string, send func(*database.Batch) error) error {
	if len(runs) == 0 {
		return fmt.Errorf("read runs: %w: there is no base", errStream)
	}
	rows := newRunReader(runs[0], nil, aside)
	for _, run := range runs[1:] {
		rows = newRunReader(run, rows, aside)
	}
	var sum database.Summer
	err := rows.batches(ctx, func(b *database.Batch) error {
		if err := sum.Add(b); err != nil {
			b.Release()
			return err
		}
		return send(b)
	})
	if err != nil {
		return err
	}
	return rows.check(&sum)
}

// batches sends all rows.
func (r *runReader) batches(ctx context.Context, send func(*database.Batch) error) error {
	b := database.NewBatch()
	for {
		row, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Release()
			return err
		}
		if row.HasLong() && b.Len() > 0 {
			if err := send(b); err != nil {
				row.Drop()
				return err
			}
			b = database.NewBatch()
		}
		b.Append(row)
		if b.HasLong() || b.Full() || b.Len() >= 16<<10 {
			if err := errors.Join(ctx.Err(), send(b)); err != nil {
				return err
			}
			b = database.NewBatch()
		}
	}
	if b.Len() == 0 {
		b.Release()
		return nil
	}
	return send(b)
}

// runReader reads a base, or a delta over the runs before it.
type runReader struct {
	in     *bufio.Reader
	before *runReader // nil: a base
	begun  bool
	done   bool
	copies uint64
	row    []byte
	aside  string
	rows   uint64          // as the trailer says
	digest database.Digest // the same
}

func newRunReader(in io.Reader, before *runReader, aside string) *runReader {
	return &runReader{in: bufio.NewReaderSize(in, 64<<10), before: before, aside: aside}
}

// next gives rows one after another, and io.EOF after the last; a row is good until the next call.
func (r *runReader) next() (database.Row, error) {
	if r.done {
		return database.Row{}, io.EOF
	}
	if !r.begun {
		if err := r.begin(); err != nil {
			return database.Row{}, err
		}
	}
	row, err := r.step()
	if err != nil {
		return database.Row{}, err
	}
	if row.Bytes() == nil {
		return database.Row{}, r.end()
	}
	return row, nil
}

func (r *runReader) begin() error {
	if r.before != nil {
		return r.magic(deltaMagic)
	}
	return r.magic(baseMagic)
}

// magic reads the first bytes, which say what the run is.
func (r *runReader) magic(want string) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r.in, got); err != nil {
		return fmt.Errorf("read run: %w: %w", errStream, noEOF(err))
	}
	if string(got) != want {
		return fmt.Errorf("read run: %w: it does not begin with %s", errStream, want)
	}
	r.begun = true
	return nil
}

// step returns the next row, without data at the end mark.
func (r *runReader) step() (database.Row, error) {
	if r.before == nil {
		n, err := r.number()
		if err != nil || n == 0 {
			return database.Row{}, err
		}
		return r.take(n - 1)
	}
	for r.copies == 0 {
		op, err := r.number()
		if err != nil {
			return database.Row{}, err
		}
		switch n := op >> 2; op & 3 {
		case opEnd:
			return database.Row{}, nil
		case opCopy:
			r.copies = n
		case opInsert:
			return r.take(n)
		case opSkip:
			if err := r.skip(n); err != nil {
				return database.Row{}, err
			}
		}
	}
	r.copies--
	return r.inherited()
}

func (r *runReader) skip(n uint64) error {
	for ; n > 0; n-- {
		row, err := r.inherited()
		if err != nil {
			return err
		}
		row.Drop()
	}
	return nil
}

func (r *runReader) inherited() (database.Row, error) {
	row, err := r.before.next()
	if errors.Is(err, io.EOF) {
		return database.Row{}, fmt.Errorf("read delta: %w: it refers beyond the rows before it", errStream)
	}
	return row, err
}

func (r *runReader) number() (uint64, error) {
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return 0, fmt.Errorf("read run: %w: %w", errStream, noEOF(err))
	}
	return n, nil
}

// noEOF keeps an early end from being taken for the end of rows.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take reads a row. Memory grows with what is there, not with what is promised.
func (r *runReader) take(n uint64) (database.Row, error) {
	if n > database.MaxRow {
		return database.Row{}, fmt.Errorf("read run: %w: a row of %d bytes", errStream, n)
	}
	if n > database.LongBytes && r.aside != "" {
		row, err := database.ReadRow(r.in, int64(n), r.aside)
		if err != nil {
			return database.Row{}, fmt.Errorf("read run: %w: %w", errStream, err)
		}
		return row, nil
	}
	const piece = 1 << 20
	r.row = r.row[:0]
	for len(r.row) < int(n) {
		start := len(r.row)
		part := min(int(n)-start, piece)
		if cap(r.row)-start < part {
			r.row = append(r.row, make([]byte, part)...)
		} else {
			r.row = r.row[:start+part]
		}
		if _, err := io.ReadFull(r.in, r.row[start:]); err != nil {
			return database.Row{}, fmt.Errorf("read run: %w: %w", errStream, noEOF(err))
		}
	}
	if n == 0 {
		return database.RowOf([]byte{}), nil
	}
	return database.RowOf(r.row), nil
}

// end reads the trailer.
func (r *runReader) end() (err error) {
	if r.rows, err = r.number(); err != nil {
		return err
	}
	if _, err := io.ReadFull(r.in, r.digest[:]); err != nil {
		return fmt.Errorf("read run: %w: %w", errStream, noEOF(err))
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read run: %w: something follows the end", errStream)
	}
	r.done = true
	return io.EOF
}

// check compares all rows with the trailer. The trailer of a delta speaks of the rows that it makes
// of those before it, so that theirs need no check of their own.
func (r *runReader) check(sum *database.Summer) error {
	if int64(r.rows) != sum.Rows() || r.digest != sum.Digest() {
		return fmt.Errorf("read run: %w: its rows do not add up to its digest", errStream)
	}
	return nil
}

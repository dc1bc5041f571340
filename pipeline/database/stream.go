package database

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The formats are described in STREAM.md.
const (
	baseMagic  = "packrow1"
	deltaMagic = "packdlt1"

	opEnd    = 0
	opCopy   = 1
	opSkip   = 2
	opInsert = 3
)

// maxRow bounds what a reader takes for a row.
const maxRow = 1 << 30

// Names of entries beside the tables.
const (
	SchemaEntry = "schema.json"
	TablesEntry = "tables.json"
	ReportEntry = "report.json"
)

// ErrRebase says that a delta would be larger than it is worth.
var ErrRebase = errors.New("the delta outgrew its limit")

// errStream is what every malformed stream is.
var errStream = errors.New("malformed row stream")

// Stored says where a table's rows lie.
type Stored struct {
	Table  string `json:"table"` // ID
	Runs   []Run  `json:"runs"`  // a base, then deltas in order
	Rows   int64  `json:"rows"`
	Digest Digest `json:"digest"`
}

// Run is one entry that holds rows.
type Run struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// maxDeltas is how many deltas a base may have.
const maxDeltas = 16

// Fold says that a change of the table is to be written as a new base: there is
// none yet, it has as many deltas as it may have, or they are as large as they
// may be (Budget).
func (s *Stored) Fold() bool { return len(s.Runs) == 0 || len(s.Runs) > maxDeltas || s.Budget() <= 0 }

// Budget is how many bytes a further delta may have before a new base is better.
func (s *Stored) Budget() int64 {
	if len(s.Runs) == 0 {
		return 0
	}
	budget := s.Runs[0].Bytes / 5
	for _, r := range s.Runs[1:] {
		budget -= r.Bytes
	}
	return budget
}

// RunPath names the entry of a table's nth run.
func RunPath(table string, n int, delta bool) string {
	kind := "base"
	if delta {
		kind = "delta"
	}
	return fmt.Sprintf("tables/%s/%d.%s", escape(table), n, kind)
}

func escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := c == '_' || c == '-' || c == '.' && i > 0 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= 150 {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	return b.String()[:150] + "~" + hex.EncodeToString(sum[:8])
}

// fingerprint is what a writer remembers of a row.
type fingerprint [16]byte

// StreamResult is what was written of a table.
type StreamResult struct {
	Rows    int64
	Bytes   int64 // of the stream
	Digest  Digest
	Changed bool // false: a delta that would change nothing
}

// WriteBase writes all rows of a table as a base run. prints gets the
// fingerprints that the next WriteDelta compares with; nil for none.
func WriteBase(ctx context.Context, w io.Writer, prints io.Writer, r Reader, t *Table) (StreamResult, error) {
	s := newStreamWriter(w, prints, baseMagic)
	err := r.Rows(ctx, t, func(b *Batch) error {
		defer b.Release()
		for i := range b.Len() {
			row := b.row(i)
			s.print(row)
			s.number(uint64(row.size()) + 1)
			s.row(row)
		}
		return s.err
	})
	if err != nil {
		return StreamResult{}, fmt.Errorf("write rows of table %s: %w", t.ID(), err)
	}
	return s.finish(true)
}

// streamWriter writes numbers and rows, and keeps the first error.
type streamWriter struct {
	out     *bufio.Writer
	prints  *bufio.Writer
	sum     Summer
	written int64
	err     error
	scratch [binary.MaxVarintLen64]byte
	last    [32]byte // hash of the last row
}

func newStreamWriter(w, prints io.Writer, magic string) *streamWriter {
	s := &streamWriter{out: bufio.NewWriterSize(w, 64<<10)}
	if prints != nil {
		s.prints = bufio.NewWriterSize(prints, 64<<10)
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
func (s *streamWriter) row(row longRow) {
	if len(row.longs) == 0 {
		s.bytes(row.data)
		return
	}
	if s.err == nil {
		s.written += row.size()
		_, s.err = row.WriteTo(s.out)
	}
}

// print sums a row and remembers its fingerprint.
func (s *streamWriter) print(row longRow) (f fingerprint) {
	if len(row.longs) == 0 {
		s.last = s.sum.AddRow(row.data)
	} else if last, err := s.sum.addLong(row); err == nil {
		s.last = last
	} else if s.err == nil {
		s.err = err
	}
	if s.prints != nil && s.err == nil {
		_, s.err = s.prints.Write(s.last[:len(f)])
	}
	return fingerprint(s.last[:len(f)])
}

func (s *streamWriter) finish(changed bool) (StreamResult, error) {
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
	return StreamResult{Rows: s.sum.Rows(), Bytes: s.written, Digest: digest, Changed: changed}, s.err
}

// WriteDelta writes what changed in a table since previous, the fingerprints of
// its last state, were written. When the delta exceeds limit bytes, it gives up
// with ErrRebase; the table can then be read again for WriteBase. The order of
// rows need not be known, but must be the same as last time for the delta to be
// small.
func WriteDelta(ctx context.Context, w, prints io.Writer, previous io.Reader, limit int64, r Reader, t *Table) (StreamResult, error) {
	d := &deltaWriter{streamWriter: newStreamWriter(w, prints, deltaMagic), limit: limit, old: window{in: bufio.NewReaderSize(previous, 64<<10)}}
	err := r.Rows(ctx, t, func(b *Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := d.row(b.row(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return StreamResult{}, fmt.Errorf("write changes of table %s: %w", t.ID(), err)
	}
	rest, err := d.old.any()
	if err != nil {
		return StreamResult{}, err
	}
	d.flush()
	return d.finish(d.changed || rest)
}

// deltaWriter finds each row in a window of the old rows ahead.
type deltaWriter struct {
	*streamWriter
	old     window
	copies  uint64 // rows to be copied, not written yet
	misses  int    // rows inserted since the last that was found
	changed bool
	limit   int64
}

// nearby is how far ahead a row is looked for; rows that follow each other
// without being found are looked for farther, now and then.
const nearby = 64

func (d *deltaWriter) row(row longRow) error {
	f := d.print(row)
	ahead, err := d.old.find(f, d.reach())
	if err != nil {
		return err
	}
	if ahead < 0 {
		d.flush()
		d.number(uint64(row.size())<<2 | opInsert)
		d.streamWriter.row(row)
		d.misses++
		d.changed = true
		if d.written > d.limit {
			return ErrRebase
		}
		return d.err
	}
	if ahead > 0 {
		d.flush()
		d.number(uint64(ahead)<<2 | opSkip)
		d.changed = true
	}
	d.old.drop(ahead + 1)
	d.copies++
	d.misses = 0
	return d.err
}

// reach widens after a long run of misses, at few of them, so that a table in
// which all changed costs little more than one in which nothing did.
func (d *deltaWriter) reach() int {
	if d.misses >= 32 && (d.misses&(d.misses-1) == 0 || d.misses%1024 == 0) {
		return windowRows
	}
	return nearby
}

func (d *deltaWriter) flush() {
	if d.copies > 0 {
		d.number(d.copies<<2 | opCopy)
		d.copies = 0
	}
}

// windowRows is how many old fingerprints are held.
const windowRows = 64 << 10

// window is a moving view of the old fingerprints.
type window struct {
	in    *bufio.Reader
	rows  []fingerprint
	at    int
	ended bool
}

// find looks at up to reach rows ahead and returns how many lie before the one
// that equals f, -1 if there is none.
func (w *window) find(f fingerprint, reach int) (int, error) {
	if err := w.fill(reach); err != nil {
		return -1, err
	}
	end := min(len(w.rows), w.at+reach)
	for i := w.at; i < end; i++ {
		if w.rows[i] == f {
			return i - w.at, nil
		}
	}
	return -1, nil
}

func (w *window) drop(n int) { w.at += n }

func (w *window) any() (bool, error) {
	err := w.fill(1)
	return w.at < len(w.rows), err
}

// fill sees to it that reach rows are there, if the file has so many.
func (w *window) fill(reach int) error {
	if w.ended || len(w.rows)-w.at >= reach {
		return nil
	}
	w.rows = w.rows[:copy(w.rows, w.rows[w.at:])]
	w.at = 0
	want := max(reach, 4096)
	for len(w.rows) < want {
		p, err := w.in.Peek(len(fingerprint{}))
		if errors.Is(err, io.EOF) && len(p) == 0 {
			w.ended = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read fingerprints: %w", noEOF(err))
		}
		w.rows = append(w.rows, fingerprint(p))
		if _, err := w.in.Discard(len(p)); err != nil {
			return fmt.Errorf("read fingerprints: %w", err)
		}
	}
	return nil
}

// rowReader gives rows one after another; a row is good until the next call.
type rowReader interface {
	next() (longRow, error) // io.EOF after the last
}

// ReadRuns merges a base and its deltas and sends the rows in batches. The
// result's digest is checked; a stream that is cut short or altered is an error.
// Large cells go to files in the directory aside; if that is empty, they are held
// in memory.
func ReadRuns(ctx context.Context, runs []io.Reader, aside string, send func(*Batch) error) error {
	if len(runs) == 0 {
		return fmt.Errorf("read runs: %w: there is no base", errStream)
	}
	var rows rowReader = newRunReader(runs[0], nil, aside)
	for _, run := range runs[1:] {
		rows = newRunReader(run, rows, aside)
	}
	b := NewBatch()
	for {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Release()
			return err
		}
		if len(row.longs) > 0 && b.Len() > 0 {
			if err := send(b); err != nil {
				row.drop()
				return err
			}
			b = NewBatch()
		}
		b.appendRow(row)
		if b.HasLong() || b.Full() || b.Len() >= 16<<10 {
			if err := errors.Join(ctx.Err(), send(b)); err != nil {
				return err
			}
			b = NewBatch()
		}
	}
	if b.Len() == 0 {
		b.Release()
		return nil
	}
	return send(b)
}

// appendRow adds a row, whose long cells the batch takes over.
func (b *Batch) appendRow(row longRow) {
	b.AppendRow(row.data)
	b.longs = row.longs
}

// row gives row i with its long cells.
func (b *Batch) row(i int) longRow { return longRow{b.Row(i), b.longs} }

// runReader reads a base, or a delta over the runs before it.
type runReader struct {
	in     *bufio.Reader
	before rowReader // nil: a base
	begun  bool
	done   bool
	copies uint64
	row    []byte
	aside  string
	sum    Summer
}

func newRunReader(in io.Reader, before rowReader, aside string) *runReader {
	return &runReader{in: bufio.NewReaderSize(in, 64<<10), before: before, aside: aside}
}

func (r *runReader) next() (longRow, error) {
	if r.done {
		return longRow{}, io.EOF
	}
	if !r.begun {
		if err := r.begin(); err != nil {
			return longRow{}, err
		}
	}
	row, err := r.step()
	if err != nil {
		return longRow{}, err
	}
	if row.data == nil {
		return longRow{}, r.end()
	}
	if len(row.longs) == 0 {
		r.sum.AddRow(row.data)
		return row, nil
	}
	if _, err := r.sum.addLong(row); err != nil {
		row.drop()
		return longRow{}, err
	}
	return row, nil
}

func (r *runReader) begin() error {
	want := baseMagic
	if r.before != nil {
		want = deltaMagic
	}
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
func (r *runReader) step() (longRow, error) {
	if r.before == nil {
		n, err := r.number()
		if err != nil || n == 0 {
			return longRow{}, err
		}
		return r.take(n - 1)
	}
	for r.copies == 0 {
		op, err := r.number()
		if err != nil {
			return longRow{}, err
		}
		switch n := op >> 2; op & 3 {
		case opEnd:
			return longRow{}, nil
		case opCopy:
			r.copies = n
		case opInsert:
			return r.take(n)
		case opSkip:
			if err := r.skip(n); err != nil {
				return longRow{}, err
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
		row.drop()
	}
	return nil
}

func (r *runReader) inherited() (longRow, error) {
	row, err := r.before.next()
	if errors.Is(err, io.EOF) {
		return longRow{}, fmt.Errorf("read delta: %w: it refers beyond the rows before it", errStream)
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
func (r *runReader) take(n uint64) (longRow, error) {
	if n > maxRow {
		return longRow{}, fmt.Errorf("read run: %w: a row of %d bytes", errStream, n)
	}
	if n > LongBytes && r.aside != "" {
		row, err := readLongRow(r.in, int64(n), r.aside)
		if err != nil {
			return longRow{}, fmt.Errorf("read run: %w: %w", errStream, err)
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
			return longRow{}, fmt.Errorf("read run: %w: %w", errStream, noEOF(err))
		}
	}
	if n == 0 {
		return longRow{data: []byte{}}, nil
	}
	return longRow{data: r.row}, nil
}

// end checks the trailer.
func (r *runReader) end() error {
	rows, err := r.number()
	if err != nil {
		return err
	}
	var want Digest
	if _, err := io.ReadFull(r.in, want[:]); err != nil {
		return fmt.Errorf("read run: %w: %w", errStream, noEOF(err))
	}
	if got := r.sum.Digest(); int64(rows) != r.sum.Rows() || !bytes.Equal(got[:], want[:]) {
		return fmt.Errorf("read run: %w: its rows do not add up to its digest", errStream)
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("read run: %w: something follows the end", errStream)
	}
	r.done = true
	return io.EOF
}

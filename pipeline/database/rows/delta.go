package rows

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/packstone/packstone/pipeline/database"
)

// oldPrints are the buffers through which deltas read the fingerprints before.
var oldPrints = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// WriteDelta writes what changed in a table since previous, the fingerprints of
// its last state, were written. When the delta exceeds limit bytes, it gives up
// with [database.ErrRebase]; the table can then be read again for WriteBase. The order of
// rows need not be known, but must be the same as last time for the delta to be
// small.
func WriteDelta(ctx context.Context, w, prints io.Writer, previous io.Reader, limit int64, r database.Reader, t *database.Table) (Result, error) {
	in := oldPrints.Get().(*bufio.Reader)
	defer oldPrints.Put(in)
	in.Reset(previous)
	d := &deltaWriter{streamWriter: newStreamWriter(w, prints, deltaMagic), limit: limit, old: window{in: in}}
	err := r.Rows(ctx, t, func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := d.row(b.At(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Result{}, fmt.Errorf("write changes of table %s: %w", t.ID(), err)
	}
	rest, err := d.old.any()
	if err != nil {
		return Result{}, err
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

func (d *deltaWriter) row(row database.Row) error {
	f := d.print(row)
	ahead, err := d.old.find(f, d.reach())
	if err != nil {
		return err
	}
	if ahead < 0 {
		d.flush()
		d.number(uint64(row.Size())<<2 | opInsert)
		d.streamWriter.row(row)
		d.misses++
		d.changed = true
		if d.written > d.limit {
			return database.ErrRebase
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

package source

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/catalog/entry"
)

// Speed is how fast a source is listed and read.
type Speed struct {
	Files, Bytes int64
	Took         time.Duration // of both
	Whole        bool          // all files were read
}

// errEnough ends the walk of MeasureSpeed.
var errEnough = errors.New("enough was read")

// MeasureSpeed lists and reads a source as a backup does, for about limit, with this many readers,
// or as many as a distant source prefers. It skips what it cannot read.
func MeasureSpeed(ctx context.Context, s Source, readers int, limit time.Duration) (Speed, error) {
	if distant, ok := s.(Distant); ok {
		readers = max(readers, distant.Readers())
	}
	m := &measuring{source: s, until: time.Now().Add(limit), files: make(chan *entry.Entry, 256)}
	begun := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for range readers {
		g.Go(func() error { return m.read(gctx) })
	}
	g.Go(func() error {
		defer close(m.files)
		err := s.Walk(gctx, m)
		m.whole = err == nil
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	err := g.Wait()
	return Speed{m.done.Load(), m.bytes.Load(), time.Since(begun), m.whole && !m.cut.Load()}, err
}

// measuring is one run of MeasureSpeed, and the Visitor of its walk.
type measuring struct {
	source      Source
	until       time.Time
	files       chan *entry.Entry
	done, bytes atomic.Int64
	whole       bool
	cut         atomic.Bool // a file was left, or left in its middle
}

func (m *measuring) over() bool { return time.Now().After(m.until) }

// Visit implements Visitor.
func (m *measuring) Visit(e *entry.Entry) error {
	if m.over() {
		return errEnough
	}
	if e.Type == entry.File {
		m.files <- e
	}
	return nil
}

// Problem implements Visitor.
func (m *measuring) Problem(string, error) {}

func (m *measuring) read(ctx context.Context) error {
	buffer := make([]byte, 1<<20)
	for e := range m.files {
		if m.over() || ctx.Err() != nil {
			m.cut.Store(true)
			continue
		}
		f, err := m.source.Open(ctx, e)
		if err != nil {
			continue
		}
		for err == nil && !m.over() {
			var n int
			n, err = f.Read(buffer)
			m.bytes.Add(int64(n))
		}
		if !errors.Is(err, io.EOF) {
			m.cut.Store(true)
		}
		m.done.Add(1)
		f.Close()
	}
	return ctx.Err()
}

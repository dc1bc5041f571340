package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Speed is how many bytes a store has moved, and in which time.
type Speed struct {
	Bytes int64
	Took  time.Duration
}

// PerSecond returns bytes per second, 0 if nothing was measured.
func (s Speed) PerSecond() float64 {
	if s.Took <= 0 {
		return 0
	}
	return float64(s.Bytes) / s.Took.Seconds()
}

const (
	speedObject  = 4 << 20
	speedObjects = 64 // at most, which are deleted at the end
)

// MeasureSpeed puts random objects under probe/<random>/ for about limit, atOnce at a time, then
// gets them for as long, and deletes them. If the credentials may not delete, it fails with
// ErrDenied before it has moved much.
func MeasureSpeed(ctx context.Context, s Store, atOnce int, limit time.Duration) (up, down Speed, err error) {
	m := &measuring{store: s, prefix: "probe/" + rand.Text() + "/", atOnce: atOnce}
	if err := m.mayDelete(ctx); err != nil {
		return up, down, err
	}
	defer m.clean(ctx)
	data := make([]byte, speedObject)
	rand.Read(data)
	up, err = m.during(ctx, limit, func(ctx context.Context, i int) (int, error) {
		object := append([]byte(nil), data...)
		copy(object, fmt.Sprint(i)) // nothing can be taken for another
		return len(object), s.Put(ctx, m.name(i), object, sha256.Sum256(object))
	})
	if err != nil {
		return up, down, err
	}
	put := m.done.Load()
	down, err = m.during(ctx, limit, func(ctx context.Context, i int) (int, error) {
		got, err := s.Get(ctx, m.name(i%int(put)), 0, -1, nil)
		return len(got), err
	})
	return up, down, err
}

// measuring is one run of MeasureSpeed.
type measuring struct {
	store  Store
	prefix string
	atOnce int
	done   atomic.Int64 // calls of the last during
	puts   atomic.Int64
}

func (m *measuring) name(i int) string { return fmt.Sprintf("%s%d", m.prefix, i) }

func (m *measuring) mayDelete(ctx context.Context) error {
	name := m.prefix + "first"
	if err := m.store.Put(ctx, name, nil, sha256.Sum256(nil)); err != nil {
		return err
	}
	return m.store.Delete(ctx, name)
}

// during calls move until limit is over, or all objects have been moved.
func (m *measuring) during(ctx context.Context, limit time.Duration, move func(ctx context.Context, i int) (int, error)) (Speed, error) {
	begun := time.Now()
	var bytes, next atomic.Int64
	m.done.Store(0)
	g, gctx := errgroup.WithContext(ctx)
	worker := func() error {
		for gctx.Err() == nil {
			i := next.Add(1) - 1
			if i >= speedObjects || i > 0 && time.Since(begun) > limit {
				return nil
			}
			m.puts.Store(max(m.puts.Load(), i+1))
			n, err := move(gctx, int(i))
			if err != nil {
				return err
			}
			bytes.Add(int64(n))
			m.done.Add(1)
		}
		return context.Cause(gctx)
	}
	for range m.atOnce {
		g.Go(worker)
	}
	err := g.Wait()
	return Speed{bytes.Load(), time.Since(begun)}, err
}

// clean deletes what was put, as far as it can.
func (m *measuring) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range m.puts.Load() {
		all.Go(func() { _ = m.store.Delete(ctx, m.name(int(i))) })
	}
	all.Wait()
}

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote"
	"github.com/packstone/packstone/pipeline/remote/pool"
)

var errBroken = errors.New("broken")

// server bears so many connections at once.
type server struct {
	bears, open, most, dialled atomic.Int64
	refusal                    error
}

type conn struct{ ended atomic.Bool }

func (s *server) options() pool.Options[*conn] {
	return pool.Options[*conn]{
		Host: "host", Most: 16, Patience: time.Minute,
		Dial: func(_ context.Context, answered func()) (*conn, error) {
			answered()
			if n := s.open.Add(1); n > s.bears.Load() {
				s.open.Add(-1)
				return nil, s.refusal
			}
			s.dialled.Add(1)
			s.most.Store(max(s.most.Load(), s.open.Load()))
			return &conn{}, nil
		},
		End: func(c *conn, _ bool) {
			if c.ended.CompareAndSwap(false, true) {
				s.open.Add(-1)
			}
		},
		IsBroken: func(err error) bool { return errors.Is(err, errBroken) },
	}
}

func TestAsManyConnectionsAsTheServerBearsServeAllCallers(t *testing.T) {
	for _, refusal := range []error{pool.ErrTooMany, pool.ErrHungUp, remote.ErrDenied} {
		s := &server{refusal: fmt.Errorf("refused: %w", refusal)}
		s.bears.Store(3)
		p := pool.New(s.options())
		if err := p.Do(t.Context(), func(*conn) error { return nil }); err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for range 40 {
			callers.Go(func() {
				if err := p.Do(t.Context(), func(*conn) error { return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if s.most.Load() > 3 || p.Limit() > 16 {
			t.Errorf("%v: %d connections at once, limit %d", refusal, s.most.Load(), p.Limit())
		}
		p.Close(false)
		if s.open.Load() != 0 {
			t.Errorf("%v: %d connections are open after Close", refusal, s.open.Load())
		}
	}
}

// other acquires connections until it gets another one than first: a further one is made beside
// those that are used meanwhile.
func other(t *testing.T, p *pool.Pool[*conn], first *conn) *conn {
	t.Helper()
	for {
		c, err := p.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c != first {
			return c
		}
		p.Release(c, nil)
	}
}

func TestAConnectionIsSharedAndAFurtherOneIsMadeWhenItIsBusy(t *testing.T) {
	s := &server{}
	s.bears.Store(16)
	o := s.options()
	o.Most, o.Shared, o.Busy = 2, 8, 2
	p := pool.New(o)
	all := make([]*conn, 0, 16)
	for range 2 {
		c, err := p.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if n := s.dialled.Load(); n != 1 || all[0] != all[1] {
		t.Fatalf("%d connections for two callers, want 1", n)
	}
	all = append(all, other(t, p, all[0]))
	for len(all) < cap(all) {
		c, err := p.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if n := s.dialled.Load(); n != 2 {
		t.Errorf("%d connections for 16 callers, want 2", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("one more, whose context has ended: got %v", err)
	}
	for i, c := range all {
		if i == 0 {
			p.Release(c, errBroken)
		} else {
			p.Release(c, nil)
		}
	}
	if got := s.open.Load(); got != 1 {
		t.Errorf("%d connections are left after one has broken, want 1", got)
	}
	p.Close(true)
}

func TestWhatIsHeavyTakesAsMuchOfAConnectionAsManyCallers(t *testing.T) {
	s := &server{}
	s.bears.Store(16)
	o := s.options()
	o.Most, o.Shared, o.Busy = 3, 8, 4
	p := pool.New(o)
	defer p.Close(true)
	err := p.DoHeavy(t.Context(), 4, func(first *conn) error {
		p.Release(other(t, p, first), nil)
		return p.DoHeavy(t.Context(), 4, func(second *conn) error {
			if second == first {
				t.Error("two that are heavy share a connection, though there is another one")
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatBreaksIsTriedAgainAndNotForever(t *testing.T) {
	s := &server{}
	s.bears.Store(16)
	p := pool.New(s.options())
	defer p.Close(true)
	tries := 0
	err := p.Do(t.Context(), func(*conn) error {
		if tries++; tries < 3 {
			return errBroken
		}
		return nil
	})
	if err != nil || tries != 3 || s.dialled.Load() != 3 {
		t.Errorf("got %v after %d tries over %d connections, want success with the third", err, tries, s.dialled.Load())
	}
	if err := p.Do(t.Context(), func(*conn) error { return errBroken }); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("always broken: got %v, want ErrUnreachable", err)
	}
}

func TestAServerThatRefusesTheFirstIsTold(t *testing.T) {
	for _, test := range []struct{ refusal, want error }{
		{remote.ErrDenied, remote.ErrDenied}, {remote.ErrUntrusted, remote.ErrUntrusted},
	} {
		s := &server{refusal: test.refusal}
		p := pool.New(s.options())
		if _, err := p.Acquire(t.Context()); !errors.Is(err, test.want) || errors.Is(err, remote.ErrUnreachable) {
			t.Errorf("%v: got %v", test.refusal, err)
		}
		p.Close(false)
	}
	o := (&server{refusal: errors.New("connection refused")}).options()
	o.Patience = 0
	if _, err := pool.New(o).Acquire(t.Context()); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("nobody there: got %v, want ErrUnreachable", err)
	}
}

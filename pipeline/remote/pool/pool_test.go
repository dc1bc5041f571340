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

func TestAConnectionIsSharedAndAFurtherOneIsMadeWhenItIsBusy(t *testing.T) {
	s := &server{}
	s.bears.Store(16)
	o := s.options()
	o.Most, o.Shared, o.Busy = 2, 8, 2
	p := pool.New(o)
	var all []*conn
	for range 16 {
		c, err := p.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		if want := min(2, int64(len(all)+1)/2); s.dialled.Load() != want {
			t.Fatalf("%d connections for %d callers, want %d", s.dialled.Load(), len(all), want)
		}
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

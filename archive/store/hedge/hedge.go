// Package hedge repeats a request that takes much longer than earlier ones, since a distant store
// is sometimes slow for a single request. The first answer counts. (See Dean and Barroso, "The Tail
// at Scale", 2013.)
package hedge

import (
	"context"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Store hedges the Gets of another store: at most one in fifty, and one at a time.
type Store struct {
	store.Store

	mu      sync.Mutex
	classes [64]class // of requests by the binary length of what they ask for
	gets    int64
	hedged  int64
	hedging bool
}

const (
	share     = 50  // Gets for each that may be hedged
	remembers = 128 // how long requests of a class took
	enough    = 32  // of these, to tell what is long
)

// class holds what is known of Gets of about the same length.
type class struct {
	took []time.Duration // a ring once it is full
	next int
	long time.Duration // what is longer is hedged; 0: not known yet
}

// New returns s with hedged Gets.
func New(s store.Store) *Store { return &Store{Store: s} }

// Hedged returns how many Gets were repeated.
func (s *Store) Hedged() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hedged
}

// Overwrite implements store.Overwriter, if the store does.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	return store.Overwrite(ctx, s.Store, name, data)
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	long := s.long(length)
	if long == 0 {
		return s.plain(ctx, name, offset, length, dst)
	}
	first, cancel := context.WithCancel(ctx)
	defer cancel()
	second := &second{answered: make(chan struct{})}
	timer := time.AfterFunc(long, func() {
		defer close(second.answered)
		if !s.begin() {
			second.err = errNotAsked
			return
		}
		second.data, second.err = s.Store.Get(first, name, offset, length, nil)
		s.end()
		if second.err == nil {
			cancel()
		}
	})
	got, err := s.plain(first, name, offset, length, dst)
	if unasked := timer.Stop(); unasked || err == nil {
		return got, err
	}
	<-second.answered // the first has failed, or was cancelled by the second
	if second.err == nil && ctx.Err() == nil {
		return append(dst, second.data...), nil
	}
	return got, err
}

// second is the second request for the same.
type second struct {
	answered chan struct{}
	data     []byte
	err      error
}

// errNotAsked: the Get is not repeated, since too many were.
var errNotAsked = context.Canceled

// plain makes one request and records how long it took.
func (s *Store) plain(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	begun := time.Now()
	got, err := s.Store.Get(ctx, name, offset, length, dst)
	if err == nil {
		s.note(length, time.Since(begun))
	}
	return got, err
}

// begin reports whether one more Get may be hedged.
func (s *Store) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hedging || (s.hedged+1)*share > s.gets {
		return false
	}
	s.hedging = true
	s.hedged++
	return true
}

func (s *Store) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hedging = false
}

func (s *Store) class(length int64) *class { return &s.classes[bits.Len64(uint64(max(length, 0)))] }

// long counts a Get and returns after which time to repeat it, 0 for never.
func (s *Store) long(length int64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	return s.class(length).long
}

func (s *Store) note(length int64, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.class(length)
	if len(c.took) < remembers {
		c.took = append(c.took, took)
	} else {
		c.took[c.next] = took
	}
	c.next = (c.next + 1) % remembers
	if len(c.took) >= enough && c.next%(enough/2) == 0 {
		sorted := slices.Sorted(slices.Values(c.took))
		c.long = sorted[len(sorted)*95/100] * 5 / 4
	}
}

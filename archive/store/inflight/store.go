package inflight

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/archive/store"
)

// Store returns s with its Puts, Gets and Deletes within the limit. Lists, which may last as long
// as their caller likes, are not limited.
func (l *Limiter) Store(s store.Store) store.Store { return &limited{Store: s, limiter: l} }

// Of returns the limiter that bounds the requests of a store, nil if it has none.
func Of(s store.Store) *Limiter {
	if bounded, ok := s.(interface{ InFlight() *Limiter }); ok {
		return bounded.InFlight()
	}
	return nil
}

// InFlight returns the limiter to Of. Stores that wrap another store pass the call on.
func (s *limited) InFlight() *Limiter { return s.limiter }

// IsRefusal reports whether err comes from a store that is overloaded, or does not answer in time.
func IsRefusal(err error) bool { return errors.Is(err, store.ErrUnreachable) }

type limited struct {
	store.Store
	limiter *Limiter
}

// Put implements store.Store.
func (s *limited) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	return s.do(ctx, "put", name, func() (int, error) { return len(data), s.Store.Put(ctx, name, data, digest) })
}

// Overwrite implements store.Overwriter, if the store does.
func (s *limited) Overwrite(ctx context.Context, name string, data []byte) error {
	return s.do(ctx, "overwrite", name, func() (int, error) { return len(data), store.Overwrite(ctx, s.Store, name, data) })
}

// Get implements store.Store.
func (s *limited) Get(ctx context.Context, name string, offset, length int64, dst []byte) (got []byte, err error) {
	got = dst
	err = s.do(ctx, "get", name, func() (int, error) {
		got, err = s.Store.Get(ctx, name, offset, length, dst)
		return len(got) - len(dst), err
	})
	return got, err
}

// Delete implements store.Store.
func (s *limited) Delete(ctx context.Context, name string) error {
	return s.do(ctx, "delete", name, func() (int, error) { return 0, s.Store.Delete(ctx, name) })
}

// do runs the request within the limit, and names it if it could not begin.
func (s *limited) do(ctx context.Context, verb, name string, request func() (int, error)) error {
	begun := false
	err := s.limiter.Do(ctx, func() (int, error) {
		begun = true
		return request()
	})
	if err != nil && !begun {
		return fmt.Errorf("%s %s: %w", verb, name, err)
	}
	return err
}

package catalog

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive/store"
)

// barrier is a store whose listings begin when so many of them have been asked for.
type barrier struct {
	store.Store
	most  int64
	asked atomic.Int64
	all   chan struct{} // closed then; nil: nothing waits
}

func (s *barrier) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if s.all != nil {
			if s.asked.Add(1) == s.most {
				close(s.all)
			}
			select {
			case <-s.all:
			case <-ctx.Done():
				yield(store.Info{}, context.Cause(ctx))
				return
			}
		}
		s.Store.List(ctx, prefix, after)(yield)
	}
}

func TestObjectsAreListedAllAtOnceToBeChecked(t *testing.T) {
	w := newWorld(t)
	w.begin()
	s := &barrier{Store: w.store}
	repo := w.opened(s, Options{Keys: Keys{Identities: w.identities()}})
	s.most, s.all = 7, make(chan struct{}) // a listing that waits for another one to end would never begin
	problems, err := repo.CheckObjects(t.Context())
	if err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v", problems, err)
	}
	w.sound()
}

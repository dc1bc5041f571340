// Package count counts the calls to a store and the bytes that they moved, for summaries.
package count

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/packstone/packstone/archive/store"
)

// Store counts the calls of another store. Placed inside of retry it counts every try, outside only what was asked.
type Store struct {
	store.Store
	puts, gets, lists, deletes, syncs counter
}

type counter struct{ calls, failed, bytes, objects atomic.Int64 }

// Totals are the counts of all calls that have returned.
type Totals struct {
	Put    Calls `json:"put"`
	Get    Calls `json:"get"`
	List   Calls `json:"list"`
	Delete Calls `json:"delete"`
	Sync   Calls `json:"sync"`
}

// Calls are the counts of one kind of call.
type Calls struct {
	Calls   int64 `json:"calls"`
	Failed  int64 `json:"failed"`
	Bytes   int64 `json:"bytes"`   // stored by Puts, returned by Gets; failed calls do not count
	Objects int64 `json:"objects"` // yielded by Lists
}

// New returns s with counters, all zero.
func New(s store.Store) *Store { return &Store{Store: s} }

// Totals returns the counts so far.
func (s *Store) Totals() Totals {
	return Totals{
		Put: s.puts.totals(), Get: s.gets.totals(), List: s.lists.totals(), Delete: s.deletes.totals(), Sync: s.syncs.totals(),
	}
}

func (c *counter) totals() Calls {
	return Calls{Calls: c.calls.Load(), Failed: c.failed.Load(), Bytes: c.bytes.Load(), Objects: c.objects.Load()}
}

func (c *counter) add(bytes int, err error) {
	c.calls.Add(1)
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.bytes.Add(int64(bytes))
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	err := s.Store.Put(ctx, name, data, digest)
	s.puts.add(len(data), err)
	return err
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	got, err := s.Store.Get(ctx, name, offset, length, dst)
	s.gets.add(len(got)-len(dst), err)
	return got, err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var failed error
		defer func() { s.lists.add(0, failed) }()
		for info, err := range s.Store.List(ctx, prefix, after) {
			if failed = err; err == nil {
				s.lists.objects.Add(1)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	err := s.Store.Delete(ctx, name)
	s.deletes.add(0, err)
	return err
}

// Sync implements store.Store.
func (s *Store) Sync(ctx context.Context) error {
	err := s.Store.Sync(ctx)
	s.syncs.add(0, err)
	return err
}

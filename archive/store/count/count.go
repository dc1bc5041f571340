// Package count counts the calls to a store and the bytes that they moved, for summaries.
package count

import (
	"context"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Store counts the calls of another store. Wrapped inside retry it counts every try, outside only
// the calls themselves.
type Store struct {
	store.Store
	puts, gets, lists, deletes, syncs counter
	rounds                            Rounds
	busy                              busy
	retries                           atomic.Int64
}

type counter struct{ calls, failed, bytes, objects atomic.Int64 }

// Totals are the counts of all calls that have returned.
type Totals struct {
	Put    Calls `json:"put"`
	Get    Calls `json:"get"`
	List   Calls `json:"list"`
	Delete Calls `json:"delete"`
	Sync   Calls `json:"sync"`

	RoundTrips   int64   `json:"round_trips"`    // that were waited for one after the other: see Rounds
	MeanInFlight float64 `json:"mean_in_flight"` // calls under way, while there was one
	MostInFlight int64   `json:"most_in_flight"`
	Retries      int64   `json:"retries"` // as Retry was told
}

// Calls returns the number of all calls but Syncs.
func (t *Totals) Calls() int64 { return t.Put.Calls + t.Get.Calls + t.List.Calls + t.Delete.Calls }

// Calls are the counts of one method.
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
	t := Totals{
		Put: s.puts.totals(), Get: s.gets.totals(), List: s.lists.totals(), Delete: s.deletes.totals(), Sync: s.syncs.totals(),
		RoundTrips: s.rounds.Longest(), Retries: s.retries.Load(),
	}
	t.MeanInFlight, t.MostInFlight = s.busy.mean()
	return t
}

// Retry records that a call is about to be repeated.
func (s *Store) Retry() { s.retries.Add(1) }

// begin records the begin of a call, which makes one or more requests.
func (s *Store) begin() (place int64) {
	s.busy.add(1)
	return s.rounds.Begin()
}

// end records the end of a call that made this many requests one after the other.
func (s *Store) end(place, requests int64) {
	s.rounds.End(place + requests - 1)
	s.busy.add(-1)
}

// busy adds up how many calls were in flight for how long.
type busy struct {
	mu        sync.Mutex
	now, most int64
	since     time.Time
	all, wall time.Duration // of all calls together, and while there was one
}

func (b *busy) add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.now > 0 {
		b.wall += now.Sub(b.since)
		b.all += now.Sub(b.since) * time.Duration(b.now)
	}
	b.since, b.now = now, b.now+n
	b.most = max(b.most, b.now)
}

func (b *busy) mean() (mean float64, most int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wall == 0 {
		return 0, b.most
	}
	return math.Round(float64(b.all)/float64(b.wall)*100) / 100, b.most
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
	place := s.begin()
	err := s.Store.Put(ctx, name, data, digest)
	s.end(place, 1)
	s.puts.add(len(data), err)
	return err
}

// Overwrite implements store.Overwriter, if the store does. It counts as a Put.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	place := s.begin()
	err := store.Overwrite(ctx, s.Store, name, data)
	s.end(place, 1)
	s.puts.add(len(data), err)
	return err
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	place := s.begin()
	got, err := s.Store.Get(ctx, name, offset, length, dst)
	s.end(place, 1)
	s.gets.add(len(got)-len(dst), err)
	return got, err
}

// listPage is how many objects one request lists.
const listPage = 1000

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var failed error
		seen, place := int64(0), s.begin()
		defer func() {
			s.end(place, 1+seen/listPage)
			s.lists.add(0, failed)
		}()
		for info, err := range s.Store.List(ctx, prefix, after) {
			if failed = err; err == nil {
				s.lists.objects.Add(1)
				seen++
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	place := s.begin()
	err := s.Store.Delete(ctx, name)
	s.end(place, 1)
	s.deletes.add(0, err)
	return err
}

// Sync implements store.Store.
func (s *Store) Sync(ctx context.Context) error {
	err := s.Store.Sync(ctx)
	s.syncs.add(0, err)
	return err
}

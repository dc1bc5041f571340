package count_test

import (
	"context"
	"crypto/sha256"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestStoreHoldsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return count.New(memory.New()) })
}

func TestCallsAndBytesAreCounted(t *testing.T) {
	ctx := context.Background()
	s := count.New(memory.New())
	data := []byte("0123456789")
	for range 2 { // the second is refused
		_ = s.Put(ctx, "a", data, sha256.Sum256(data))
	}
	_, _ = s.Get(ctx, "a", 2, 3, []byte("before"))
	_, _ = s.Get(ctx, "none", 0, -1, nil)
	for range s.List(ctx, "", "") {
	}
	_ = s.Delete(ctx, "a")
	_ = s.Sync(ctx)
	want := count.Totals{
		Put:    count.Calls{Calls: 2, Failed: 1, Bytes: 10},
		Get:    count.Calls{Calls: 2, Failed: 1, Bytes: 3},
		List:   count.Calls{Calls: 1, Objects: 1},
		Delete: count.Calls{Calls: 1},
		Sync:   count.Calls{Calls: 1},

		RoundTrips: 6, MeanInFlight: 1, MostInFlight: 1, Retries: 1,
	}
	s.Retry()
	if got := s.Totals(); got != want || got.Calls() != 6 {
		t.Errorf("totals = %+v\nwant     %+v", got, want)
	}
}

func TestRoundTripsThatWereWaitedForAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := count.New(&storetest.Faulty{Store: memory.New(), Latency: time.Second})
		get := func(n int) {
			var all sync.WaitGroup
			for range n {
				all.Go(func() { _, _ = s.Get(t.Context(), "none", 0, -1, nil) })
			}
			all.Wait()
		}
		get(1)
		time.Sleep(time.Minute)
		get(8)
		get(3)
		if got := s.Totals(); got.RoundTrips != 3 || got.MeanInFlight != 4 || got.MostInFlight != 8 {
			t.Errorf("got %+v, want 3 round trips, 4 in flight on average, 8 at most", got)
		}
	})
}

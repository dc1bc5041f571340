package inflight_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestNoMoreRequestsThanAllowedAreInFlightAndAllGetTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.Fixed(3)
		var mu sync.Mutex
		var order []int
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				err := l.Do(t.Context(), func() (int, error) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					time.Sleep(time.Second)
					return 1000, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		begun := time.Now()
		all.Wait()
		inTurn := func(a, b int) int { return a/3 - b/3 } // three begin at one moment, whose order nobody knows
		if !slices.IsSortedFunc(order, inTurn) || len(order) != 10 {
			t.Errorf("they ran in the order %v, want that in which they asked, three by three", order)
		}
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("10 requests of a second, 3 at once, took %v, want 4s", took)
		}
		if c := l.Counts(); c.Requests != 10 || c.MostAtOnce != 3 || c.Busy != 10*time.Second || c.Refused != 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestWhoStopsWaitingTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, release := inflight.Fixed(1), make(chan struct{})
		go func() {
			_ = l.Do(t.Context(), func() (int, error) {
				<-release
				return 0, nil
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() {
			stopped <- l.Do(ctx, func() (int, error) { return 0, errors.New("it began") })
		}()
		synctest.Wait()
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was stopped", err)
		}
		close(release)
		if err := l.Do(t.Context(), func() (int, error) { return 0, nil }); err != nil || l.Counts().Requests != 2 {
			t.Errorf("got %v and %d requests after, want none and 2", err, l.Counts().Requests)
		}
	})
}

func TestTheLimitGrowsWithAFastLinkAndFallsWhereRequestsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storetest.Faulty{Store: memory.New(), Latency: 50 * time.Millisecond}
		data := make([]byte, 1<<20)
		if err := s.Put(t.Context(), "packs/aa/a", data, sha256.Sum256(data)); err != nil {
			t.Fatal(err)
		}
		l := inflight.Adaptive(32, inflight.IsRefusal)
		bounded := l.Store(s)
		if inflight.Of(bounded) != l || inflight.Of(s) != nil {
			t.Error("the limiter of a store is not found, or one that it has not")
		}
		get := func(rounds int) {
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for range rounds {
						_, _ = bounded.Get(t.Context(), "packs/aa/a", 0, -1, nil)
					}
				})
			}
			all.Wait()
		}
		before := l.Limit()
		get(10)
		grown := l.Limit()
		if grown != 32 || l.Counts().MostAtOnce != 32 {
			t.Errorf("the limit went from %d to %d, with %d at most at once; want 32", before, grown, l.Counts().MostAtOnce)
		}
		s.Before = storetest.On(storetest.Until(20, store.ErrUnreachable), storetest.Get)
		get(1)
		if l.Limit() >= grown || l.Counts().Refused != 20 {
			t.Errorf("the limit is %d after %d were refused, want less than %d after 20", l.Limit(), l.Counts().Refused, grown)
		}
	})
}

func TestEveryCallButListsKeepsToTheLimitAndToTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return inflight.Fixed(2).Store(memory.New()) })
}

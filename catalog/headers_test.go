package catalog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

// stalled is a store that does not answer before away is closed.
func stalled(away <-chan struct{}) *storetest.Faulty {
	return &storetest.Faulty{Store: memory.New(), Before: func(storetest.Op, string) error { <-away; return errors.New("lost") }}
}

func TestWhoWaitsUntilAnotherHasLoadedHeadersWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		r := &Repository{Store: stalled(away), Config: &Config{Headers: map[string]string{"headers/1/x": hash(nil)}}, detaching: semaphore.NewWeighted(1)}
		go r.header(t.Context(), archive.Name{1})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.header(ctx, archive.Name{2}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		close(away)
	})
}

// TestALogIsComparedWhileAnotherWaitsForTheStorage has one caller look for a lane that the listing
// has left out, and another that misses nothing.
func TestALogIsComparedWhileAnotherWaitsForTheStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		r := &Repository{
			Store: stalled(away), Config: &Config{}, memories: openMemories(Options{}, "r"),
			seen: &recollection{Lanes: map[string]head{"host.0": {Sequence: 1, Hash: hash(nil)}}},
		}
		go r.compare(t.Context(), &Log{})
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- r.keepConfig() }()
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the configuration is not remembered before the storage answers")
		}
		close(away)
		synctest.Wait()
	})
}

func TestAFirstLookIsWaitedForNoLongerThanAContextLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := &Look{
			lists:   map[string]*listing{"log/": {asked: make(chan struct{})}},
			objects: map[string]*object{"log/x": {done: make(chan struct{})}},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		from := &lookStore{memory.New(), never}
		if _, err := from.Get(ctx, "log/x", 0, -1, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: got %v, want that the time is over", err)
		}
		for _, err := range from.List(ctx, "log/", "") { // which the Get has used up: it is over at once
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("List: got %v, want that the time is over", err)
			}
		}
	})
}

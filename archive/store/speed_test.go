package store_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestTheSpeedOfAStoreIsMeasuredAndNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		f := &storetest.Faulty{Store: s, Latency: time.Second}
		up, down, err := store.MeasureSpeed(t.Context(), f, 4, 3*time.Second)
		// Four at once, each a second: what begins within the time ends.
		if err != nil || up.PerSecond() != 16<<20 || down.PerSecond() != 16<<20 {
			t.Errorf("%v up, %v down, %v; want four objects of 4 MiB a second", up, down, err)
		}
		for info := range s.List(t.Context(), "", "") {
			t.Errorf("%s is left", info.Name)
		}
	})
}

func TestWhoMayNotDeleteMeasuresNothing(t *testing.T) {
	s := memory.New()
	f := &storetest.Faulty{Store: s, Before: storetest.On(storetest.From(1, store.ErrDenied), storetest.Delete)}
	if _, _, err := store.MeasureSpeed(t.Context(), f, 4, time.Second); !errors.Is(err, store.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	if n := f.Count(storetest.Put); n != 1 {
		t.Errorf("%d objects were put, want the first alone", n)
	}
}

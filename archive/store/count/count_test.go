package count_test

import (
	"context"
	"crypto/sha256"
	"testing"

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
	}
	if got := s.Totals(); got != want {
		t.Errorf("totals = %+v\nwant     %+v", got, want)
	}
}

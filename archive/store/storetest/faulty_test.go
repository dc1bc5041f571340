package storetest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

var errLost = errors.New("the network went away")

func put(s store.Store, name, body string) error {
	return s.Put(context.Background(), name, []byte(body), sha256.Sum256([]byte(body)))
}

func get(t *testing.T, s store.Store, name string) (string, error) {
	t.Helper()
	got, err := s.Get(context.Background(), name, 0, -1, nil)
	return string(got), err
}

func TestFaultyWithoutFaultsHoldsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return &storetest.Faulty{Store: memory.New()} })
}

func TestLostPutNeverArrives(t *testing.T) {
	inner := memory.New()
	s := &storetest.Faulty{Store: inner, Before: storetest.Nth(2, errLost)}
	for i, name := range []string{"a", "b", "c"} {
		if err := put(s, name, name); errors.Is(err, errLost) != (i == 1) {
			t.Errorf("put %s: %v", name, err)
		}
	}
	if _, err := get(t, inner, "b"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("get of the lost object: %v, want ErrNotExist", err)
	}
}

func TestKeptPutIsReportedAsFailed(t *testing.T) {
	inner := memory.New()
	s := &storetest.Faulty{Store: inner, After: storetest.On(storetest.From(1, errLost), storetest.Put)}
	if err := put(s, "a", "kept"); !errors.Is(err, errLost) {
		t.Errorf("put: %v, want %v", err, errLost)
	}
	if got, err := get(t, s, "a"); err != nil || got != "kept" {
		t.Errorf("get: %q, %v, want %q", got, err, "kept")
	}
}

func TestCallsAreRecordedInOrder(t *testing.T) {
	s := &storetest.Faulty{Store: memory.New(), Before: storetest.Until(1, errLost)}
	_ = put(s, "a", "x") // lost
	_ = put(s, "a", "x")
	_, _ = get(t, s, "a")
	_ = s.Sync(context.Background())
	want := []storetest.Call{{storetest.Put, "a"}, {storetest.Put, "a"}, {storetest.Get, "a"}, {storetest.Sync, ""}}
	if got := s.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls = %v, want %v", got, want)
	}
	if got := s.Count(storetest.Put); got != 2 {
		t.Errorf("count of Put = %d, want 2", got)
	}
}

func TestFlipBitChangesOneBitOfOneObject(t *testing.T) {
	s := &storetest.Faulty{Store: memory.New(), Corrupt: storetest.FlipBit("a")}
	for _, name := range []string{"a", "b"} {
		if err := put(s, name, "abc"); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := get(t, s, "a")
	b, _ := get(t, s, "b")
	if a != "acc" || b != "abc" {
		t.Errorf("got %q and %q, want %q and %q", a, b, "acc", "abc")
	}
	if again, err := s.Get(context.Background(), "a", 0, 1, nil); err != nil || string(again) != "`" {
		t.Errorf("get of one byte: %q, %v", again, err)
	}
}

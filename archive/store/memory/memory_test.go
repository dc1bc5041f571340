package memory_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func TestStoreHoldsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return memory.New() })
	storetest.RefusesLarge(t, memory.New())
}

func TestModifiedIsTheStoresClock(t *testing.T) {
	want := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	s := &memory.Store{Now: func() time.Time { return want }}
	data := []byte("x")
	if err := s.Put(context.Background(), "a", data, sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
	for info, err := range s.List(context.Background(), "", "") {
		if err != nil || !info.Modified.Equal(want) {
			t.Errorf("modified = %v, %v, want %v", info.Modified, err, want)
		}
	}
}

func TestCloneGoesItsOwnWay(t *testing.T) {
	s := memory.New()
	s.Set("a", []byte("before"))
	clone := s.Clone()
	s.Set("a", []byte("after"))
	got, err := clone.Get(context.Background(), "a", 0, -1, nil)
	if err != nil || string(got) != "before" {
		t.Errorf("clone holds %q, %v, want %q", got, err, "before")
	}
}

func BenchmarkPut(b *testing.B) { storetest.BenchmarkPut(b, memory.New(), 1<<20) }
func BenchmarkGet(b *testing.B) { storetest.BenchmarkGet(b, memory.New(), 1<<20) }

func TestBucketHoldsTheContracts(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return new(memory.Bucket) })
	storetest.RunLocker(t, func(t *testing.T) storetest.Lockable {
		return &memory.Bucket{Rules: store.Protection{Versions: true, Locks: true}}
	})
}

func TestLocksOfABucketEndByItsClock(t *testing.T) {
	now := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	b := &memory.Bucket{Now: func() time.Time { return now }, Rules: store.Protection{Versions: true, Locks: true, Mode: store.Governance, Default: time.Hour}}
	data := []byte("x")
	if err := b.Put(t.Context(), "a", data, sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteVersion(t.Context(), "a", "v1"); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while it is locked: %v, want ErrLocked", err)
	}
	now = now.Add(time.Hour)
	if err := b.DeleteVersion(t.Context(), "a", "v1"); err != nil {
		t.Errorf("after its lock: %v", err)
	}
}

package retry_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/archive/store/storetest"
)

// breaking ends each listing of versions after some of them, until it has done so often enough.
type breaking struct {
	store.Locker
	after, times int
}

func (b *breaking) Versions(ctx context.Context, prefix, after string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		n := 0
		for v, err := range b.Locker.Versions(ctx, prefix, after) {
			if n++; n > b.after && b.times > 0 {
				b.times--
				yield(store.Version{}, fmt.Errorf("broken off: %w", store.ErrUnreachable))
				return
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func TestAListingOfVersionsGoesOnWithoutGapsAndRepetitions(t *testing.T) {
	bucket := &memory.Bucket{Rules: store.Protection{Versions: true, Locks: true}}
	for i := range 30 {
		for range 1 + i%4 { // some names have several versions
			if err := bucket.Overwrite(t.Context(), fmt.Sprintf("a/%02d", i), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []string
	for v := range bucket.Versions(t.Context(), "", "") {
		want = append(want, v.ID)
	}
	for after := 5; after < 12; after++ {
		locker := retry.New(bucket, retry.Options{First: time.Nanosecond}).Locker(&breaking{bucket, after, 8})
		var got []string
		for v, err := range locker.Versions(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("broken off after %d: got %v, want %v", after, got, want)
		}
	}
}

func TestLocksAreExtendedAfterFailuresThatPass(t *testing.T) {
	bucket := &memory.Bucket{Rules: store.Protection{Versions: true, Locks: true}}
	data := []byte("x")
	if err := bucket.Put(t.Context(), "a", data, sha256.Sum256(data)); err != nil {
		t.Fatal(err)
	}
	faulty := &storetest.Faulty{Store: bucket, Before: storetest.Until(3, store.ErrUnreachable)}
	locker := retry.New(bucket, retry.Options{First: time.Nanosecond}).Locker(faulty.Locker(bucket))
	until := store.Lock{Mode: store.Compliance, Until: time.Now().Add(time.Hour)}
	if err := locker.Extend(t.Context(), "a", "", until); err != nil {
		t.Fatal(err)
	}
	if lock, err := locker.LockOf(t.Context(), "a", ""); err != nil || lock != until {
		t.Errorf("lock = %v, %v, want %v", lock, err, until)
	}
	if err := locker.Extend(t.Context(), "a", "", store.Lock{Mode: store.Compliance, Until: until.Until.Add(-time.Minute)}); !errors.Is(err, store.ErrLocked) || faulty.Count(storetest.Extend) != 5 {
		t.Errorf("a refusal: %v after %d calls, want it at once", err, faulty.Count(storetest.Extend))
	}
}

package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/pipeline/collect"
)

// lockTells is a storage that says of each object that it is locked until a time.
type lockTells struct {
	*memory.Bucket
	until time.Time
}

func (l lockTells) LockOf(context.Context, string, string) (store.Lock, error) {
	return store.Lock{Mode: store.Compliance, Until: l.until}, nil
}

// TestAPackThatIsLockedIsDeletedByALaterRun is about servers that refuse to delete what is locked.
func TestAPackThatIsLockedIsDeletedByALaterRun(t *testing.T) {
	w, _, now, _ := forgottenWorld(t)
	before := packs(t, w.store)
	locked := &storetest.Faulty{Store: w.store, Before: func(op storetest.Op, name string) error {
		if op == storetest.Delete && strings.HasPrefix(name, "packs/") {
			return fmt.Errorf("delete %s: %w", name, store.ErrLocked)
		}
		return nil
	}}
	until := time.Now().Add(time.Hour)
	for range 2 {
		report, err := w.collect(locked, func(o *collect.Options) { o.Locker = lockTells{until: until} })
		if err != nil || report.Locked == 0 || report.LockedBytes == 0 || !report.LockedUntil.Equal(until) {
			t.Fatalf("while packs are locked: %v, %+v", err, report)
		}
	}
	if report, err := w.collect(locked); err != nil || report.Locked == 0 || !report.LockedUntil.IsZero() {
		t.Errorf("if nobody tells until when: %v, %+v", err, report)
	}
	report := w.mustCollect()
	if report.Locked != 0 || report.Deleted == 0 || packs(t, w.store) >= before {
		t.Errorf("after the locks: %+v, %d packs of %d", report, packs(t, w.store), before)
	}
	w.same(0, now)
	w.clean()
}

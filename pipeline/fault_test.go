package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/source"
)

// faultWorld has one snapshot, and a source that has changed since, whose backup publishes a
// checkpoint on the way.
func faultWorld(t *testing.T) (*world, *fakeSource) {
	w := newWorld(t)
	before := randomSource(6, 20_000, 1)
	w.mustBackup(before)
	now := before.clone()
	for i := range 8 {
		now.add(fmt.Sprintf("new/%d", i), randomBytes(20_000, 100+uint64(i)))
	}
	now.change("dir/file002.bin", randomBytes(18_000, 50))
	delete(now.files, "dir/file004.bin")
	return w, now
}

// faulted backs up through a store with a fault.
func (w *world) faulted(now *fakeSource, f *storetest.Faulty) error {
	src := now.clone()
	untilRecord(src.files["new/7"], f)
	o := w.options(src)
	o.Publish = time.Millisecond
	_, err := w.backup(f, o)
	return err
}

// resumes backs up again and tests that all is well.
func (w *world) resumes(now *fakeSource) {
	w.t.Helper()
	if _, err := w.backup(w.store, w.options(now.clone())); err != nil {
		w.t.Fatalf("the backup after: %v", err)
	}
	w.check()
	w.same(0, now)
}

// eachCall runs the test with a fault at every stride-th call of a backup, and prints how many
// there were. Short tests, which look for races, take fewer.
func eachCall(t *testing.T, test func(t *testing.T, n int) (calls int)) {
	step := stride
	if testing.Short() {
		step = 9
	}
	for n, calls := 1, 1; n <= calls+step; n += step {
		t.Run(fmt.Sprint(n), func(t *testing.T) { calls = max(test(t, n), n-1) })
		if t.Failed() {
			return
		}
		if n > calls {
			t.Logf("a fault at each of %d calls", calls)
			return
		}
	}
}

// eachFault runs the test on a world like base with a lost call, a lost answer or a kill at every
// call that it makes through f.
func eachFault(t *testing.T, base *world, test func(t *testing.T, w *world, f *storetest.Faulty)) {
	for name, fault := range map[string]func(f *storetest.Faulty, n int){
		"lost call":   func(f *storetest.Faulty, n int) { f.Before = storetest.Nth(n, errFault) },
		"lost answer": func(f *storetest.Faulty, n int) { f.After = storetest.Nth(n, errFault) },
		"kill":        func(f *storetest.Faulty, n int) { f.Before = storetest.From(n, errFault) },
	} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				f := &storetest.Faulty{Store: w.store}
				fault(f, n)
				test(t, w, f)
				return len(f.Calls())
			})
		})
	}
}

func TestABackupAfterOneLostCallFindsEverythingWell(t *testing.T) {
	base, now := faultWorld(t)
	eachCall(t, func(t *testing.T, n int) int {
		w := base.branch(t)
		f := &storetest.Faulty{Store: w.store, Before: storetest.Nth(n, errFault)}
		_ = w.faulted(now, f)
		w.resumes(now)
		return len(f.Calls())
	})
}

func TestABackupAfterOneLostAnswerFindsEverythingWell(t *testing.T) {
	base, now := faultWorld(t)
	eachCall(t, func(t *testing.T, n int) int {
		w := base.branch(t)
		f := &storetest.Faulty{Store: w.store, After: storetest.Nth(n, errFault)}
		_ = w.faulted(now, f)
		w.resumes(now)
		return len(f.Calls())
	})
}

func TestABackupAfterAKillResumesWithTheSameCache(t *testing.T) {
	base, now := faultWorld(t)
	eachCall(t, func(t *testing.T, n int) int {
		w := base.branch(t)
		f := &storetest.Faulty{Store: w.store, Before: storetest.From(n, errFault)}
		_ = w.faulted(now, f)
		w.resumes(now)
		return len(f.Calls())
	})
}

func TestABackupAfterAKillResumesWithoutItsCache(t *testing.T) {
	base, now := faultWorld(t)
	eachCall(t, func(t *testing.T, n int) int {
		w := base.branch(t)
		f := &storetest.Faulty{Store: w.store, Before: storetest.From(n, errFault)}
		_ = w.faulted(now, f)
		w.cache = t.TempDir()
		w.resumes(now)
		return len(f.Calls())
	})
}

func TestAnInterruptedBackupUploadsNothingTwice(t *testing.T) {
	w := newWorld(t)
	src := randomSource(12, 20_000, 1)
	failing := src.clone()
	failing.files["dir/file011.bin"].finish = source.ErrFailed
	if _, err := w.backup(w.store, w.options(failing)); err == nil {
		t.Fatal("a source that failed as a whole made a snapshot")
	}
	if n := len(w.snapshots()); n != 0 {
		t.Fatalf("%d snapshots of a failed source", n)
	}
	o := w.options(src)
	o.Progress = new(pipeline.Progress)
	if _, err := w.backup(w.store, o); err != nil {
		t.Fatal(err)
	}
	if n := o.Progress.ChunksNew.Load(); n != 0 {
		t.Errorf("%d of 12 chunks were uploaded again", n)
	}
	w.check()
	w.same(0, src)
}

func TestAnInterruptedBackupEndsAndLeavesNothingRunning(t *testing.T) {
	w := newWorld(t)
	src := randomSource(2000, 100, 1)
	before := runtime.NumGoroutine()
	for _, at := range []int{0, 5, 700, 1999} {
		ctx, cancel := context.WithCancel(t.Context())
		interrupted := src.clone()
		interrupted.files[fmt.Sprintf("dir/file%03d.bin", at)].reading = func(context.Context) { cancel() }
		repo, err := w.open(w.store)
		if err != nil {
			t.Fatal(err)
		}
		o := w.options(interrupted)
		o.Concurrency = 4
		if _, err := backup.Run(ctx, repo, o); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted at file %d: %v, want %v", at, err, context.Canceled)
		}
		cancel()
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			break
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines before, %d after", before, now)
	}
	w.resumes(src)
}

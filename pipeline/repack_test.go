package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/restore"
)

// Copying packs anew: what counts is whole at every moment, and what is left behind goes.

// repack runs a collector with the owner's key and an identity through s.
func (w *world) repack(s store.Store, change ...func(o *collect.Options)) (*collect.Report, error) {
	repo, err := catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: w.writer, Identities: w.identity}, CacheDir: w.cache})
	if err != nil {
		return nil, err
	}
	if err := repo.LetMove(w.t.Context(), w.owner); err != nil {
		return nil, err
	}
	o := collect.Options{
		By: w.owner, DeadAfter: time.Hour, Pause: func(context.Context, time.Duration) error { return nil },
		Repack: &collect.Repack{PackSize: 64 << 10},
	}
	for _, c := range change {
		c(&o)
	}
	return collect.Run(w.t.Context(), repo, o)
}

func (w *world) mustRepack(change ...func(o *collect.Options)) *collect.Report {
	w.t.Helper()
	report, err := w.repack(w.store, change...)
	if err != nil {
		w.t.Fatalf("repack: %v", err)
	}
	return report
}

// unused is how many bytes of packs are dead.
func (w *world) unused() int64 {
	w.t.Helper()
	plan, err := collect.PlanThinning(w.t.Context(), w.reader(), catalog.Term{Now: time.Now()}, 0, 0, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan.Left + plan.Unused
}

// thinWorld has packs of which a part is dead, the source as it was and as it is.
func thinWorld(t testing.TB) (w *world, first *catalog.Snapshot, now, old *fakeSource) {
	w = newWorld(t)
	old = randomSource(12, 5_000, 1)
	first = w.mustBackup(old)
	now = old.clone()
	for i := range 12 {
		if i%2 == 1 {
			now.change(fmt.Sprintf("dir/file%03d.bin", i), randomBytes(6_000, uint64(50+i)))
		}
	}
	w.mustBackup(now)
	w.forget(first.ID)
	return w, first, now, old
}

func TestHalfDeadPacksAreCopiedAndThenDeleted(t *testing.T) {
	w, _, now, old := thinWorld(t)
	w.mustCollect()
	stored, unused := w.stored(), w.unused()
	if unused < stored/10 {
		t.Fatalf("%d of %d bytes are dead: the test needs more", unused, stored)
	}
	report := w.mustRepack()
	if report.Moved == 0 || report.Deleted < report.Moved || report.NewBytes >= report.MovedBytes {
		t.Errorf("%+v", report)
	}
	if after := w.stored(); after >= stored-unused/2 {
		t.Errorf("%d bytes are stored of %d, of which %d were dead", after, stored, unused)
	}
	if left := w.unused(); left != 0 {
		t.Errorf("%d bytes are dead still", left)
	}
	w.clean()
	w.same(0, now)
	if again := w.mustRepack(); again.Moved > 0 || again.Deleted > 0 {
		t.Errorf("the second time: %+v", again)
	}
	before := w.stored()
	s := w.mustBackup(now)
	if grown := w.stored() - before; grown > 64<<10 || s.Sources[0].Coverage.Unmodified == 0 {
		t.Errorf("the next backup stores %d bytes of what was copied, %d of which there were", grown, before)
	}
	w.mustBackup(old)
	w.check()
	w.same(0, old)
}

// What was copied is where the index says, so that an unchanged file need not be read.
func TestABackupReadsNothingOfWhatWasCopied(t *testing.T) {
	w, _, now, _ := thinWorld(t)
	if report := w.mustRepack(); report.Moved == 0 || report.Deleted == 0 {
		t.Fatalf("%+v", report)
	}
	src := now.clone()
	before := w.stored()
	s := w.mustBackup(src)
	for path, f := range src.files {
		if *f.reads > 0 {
			t.Errorf("%s is read", path)
		}
	}
	if c := s.Sources[0].Coverage; c.Unmodified != uint64(len(src.files)) {
		t.Errorf("coverage %+v of %d files", c, len(src.files))
	}
	if grown := w.stored() - before; grown > 64<<10 {
		t.Errorf("%d bytes are stored", grown)
	}
	w.check()
	w.same(0, now)
	w.clean()
	w.same(0, now)
}

// stored is how many bytes the packs have.
func (w *world) stored() (n int64) {
	w.t.Helper()
	for p, err := range archive.ListPacks(w.t.Context(), w.store) {
		if err != nil {
			w.t.Fatal(err)
		}
		n += int64(p.Size)
	}
	return n
}

func TestCopiedPacksStayForTheGrace(t *testing.T) {
	w, _, now, _ := thinWorld(t)
	w.mustCollect()
	before := packs(t, w.store)
	w.store.Now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	report := w.mustRepack(func(o *collect.Options) { o.Grace = 7 * 24 * time.Hour })
	if report.Moved == 0 || report.Deleted != 0 || packs(t, w.store) <= before || report.Plan.Later == 0 {
		t.Errorf("within the grace: %+v, plan %+v", report, report.Plan)
	}
	w.check()
	w.same(0, now)
	w.store.Now = func() time.Time { return time.Now().Add(16 * 24 * time.Hour) }
	if report = w.mustCollect(func(o *collect.Options) { o.Grace = 7 * 24 * time.Hour }); report.Deleted == 0 {
		t.Errorf("after it: %+v", report)
	}
	w.store.Now = nil
	w.check()
	w.same(0, now)
}

func TestWhatWasCopiedAndForgottenCanBeBroughtBack(t *testing.T) {
	w, first, _, old := thinWorld(t)
	w.mustRepack(func(o *collect.Options) { o.Grace = time.Hour })
	if err := w.decides(w.store, func(s *catalog.Session) error { return s.Undelete(t.Context(), []archive.Name{first.ID}) }); err != nil {
		t.Fatal(err)
	}
	w.mustRepack()
	w.check()
	to := newTarget()
	i := slices.IndexFunc(w.snapshots(), func(s *catalog.Snapshot) bool { return s.ID == first.ID })
	if _, err := w.restoreTo(to, w.snapshots()[i], 0, restore.Options{Verify: true}); err != nil {
		t.Fatal(err)
	}
	if diff := old.differs(to); diff != "" {
		t.Error(diff)
	}
	w.clean()
}

// What a backup relies on is there, though at any of its calls packs are copied anew, and those
// that are left are deleted at once.
func TestABackupIsWholeWhereverPacksAreCopied(t *testing.T) {
	base, _, _, old := thinWorld(t)
	for name, options := range map[string]func(o *collect.Options){"fencing": fencing, "waiting": func(*collect.Options) {}} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				f := during(w.store, n, func() {
					other := *w
					other.cache = t.TempDir() // another machine
					if _, err := other.repack(w.store, options); err != nil && !errors.Is(err, collect.ErrBusy) {
						t.Errorf("repack: %v", err)
					}
				})
				if _, err := w.backup(f, w.options(old.clone())); err != nil {
					t.Errorf("backup: %v", err)
				}
				w.check()
				w.mustRepack(fencing)
				w.same(0, old)
				return len(f.Calls())
			})
		})
	}
}

func TestCopyingGoesOnAfterAnyFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	base, _, now, _ := thinWorld(t)
	base.mustCollect()
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_, _ = w.repack(f)
		w.check() // at once, with what is half done
		w.mustRepack(fencing)
		w.clean()
		w.same(0, now)
		if left := w.unused(); left != 0 {
			t.Errorf("%d bytes are dead after the next run", left)
		}
	})
}

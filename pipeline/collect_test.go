package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
)

// The collector's tests: whatever fails, stops or happens meanwhile, every snapshot that counts is
// whole afterwards, and the next run deletes what is left.

// owning opens the repository in s as its owner, who has this host's key too.
func (w *world) owning(s store.Store) (*catalog.Repository, error) {
	return catalog.Open(w.t.Context(), s, catalog.Options{Keys: catalog.Keys{Writer: w.writer}, CacheDir: w.cache})
}

// collects runs a collector of the owner through s, which may be w.store.
func (w *world) collect(s store.Store, change ...func(o *collect.Options)) (*collect.Report, error) {
	repo, err := w.owning(s)
	if err != nil {
		return nil, err
	}
	o := collect.Options{By: w.owner, DeadAfter: time.Hour, Pause: func(context.Context, time.Duration) error { return nil }}
	for _, c := range change {
		c(&o)
	}
	return collect.Run(w.t.Context(), repo, o)
}

func (w *world) mustCollect(change ...func(o *collect.Options)) *collect.Report {
	w.t.Helper()
	report, err := w.collect(w.store, change...)
	if err != nil {
		w.t.Fatalf("collect: %v", err)
	}
	return report
}

func fencing(o *collect.Options) { o.DeadAfter = 0 }

func (w *world) decides(s store.Store, do func(s *catalog.Session) error) error {
	repo, err := w.owning(s)
	if err != nil {
		return err
	}
	if err := repo.LetForget(w.t.Context(), w.owner); err != nil {
		return err
	}
	session, err := repo.BeginDeciding(w.t.Context(), w.owner)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

func (w *world) forget(ids ...archive.Name) {
	w.t.Helper()
	if err := w.decides(w.store, func(s *catalog.Session) error { return s.Forget(w.t.Context(), ids) }); err != nil {
		w.t.Fatal(err)
	}
}

// packs counts packs of both kinds.
func packs(t testing.TB, s store.Store) (n int) {
	t.Helper()
	for _, err := range archive.ListPacks(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// clean fails the test unless another run finds nothing to do, and every pack is one that is
// needed.
func (w *world) clean() {
	w.t.Helper()
	w.mustCollect(fencing) // may sight what nobody has named
	w.mustCollect(fencing)
	report := w.mustCollect(fencing)
	if report.Deleted > 0 || len(report.Plan.Packs) > 0 || report.Sighted > 0 {
		w.t.Errorf("after all has run there is more to do: %+v, %d dead packs", report, len(report.Plan.Packs))
	}
	w.check()
}

// forgottenWorld has a snapshot that is forgotten, one that counts and shares some of its packs,
// and a source that has what the forgotten one had: a backup would like to rely on what is dead.
func forgottenWorld(t testing.TB) (*world, *catalog.Snapshot, *fakeSource, *fakeSource) {
	w := newWorld(t)
	old := randomSource(4, 30_000, 1)
	first := w.mustBackup(old)
	now := old.clone()
	delete(now.files, "dir/file000.bin")
	delete(now.files, "dir/file001.bin")
	now.change("dir/file002.bin", randomBytes(40_000, 50))
	w.mustBackup(now)
	w.forget(first.ID)
	old.add("new", randomBytes(500, 90))
	return w, first, now, old
}

func TestWhatOnlyForgottenSnapshotsNeedIsDeletedAfterTheGrace(t *testing.T) {
	w, _, now, _ := forgottenWorld(t)
	before := packs(t, w.store)
	week := func(o *collect.Options) { o.Grace = 7 * 24 * time.Hour }
	report := w.mustCollect(week)
	if packs(t, w.store) != before || report.Deleted != 0 || report.Plan.Later == 0 || report.Plan.LaterAt.IsZero() {
		t.Errorf("within the grace: %d packs of %d, %+v, plan %+v", packs(t, w.store), before, report, report.Plan)
	}
	w.store.Now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	report = w.mustCollect(week)
	if report.Deleted == 0 || packs(t, w.store) != before-report.Deleted {
		t.Errorf("after it: %d packs of %d, %+v", packs(t, w.store), before, report)
	}
	w.same(0, now)
	w.check()
	w.store.Now = nil
}

func TestWithoutGraceItIsDeletedAtOnce(t *testing.T) {
	w, _, now, old := forgottenWorld(t)
	if report := w.mustCollect(); report.Deleted == 0 || report.Bytes == 0 {
		t.Errorf("%+v", report)
	}
	w.clean()
	w.same(0, now)
	w.mustBackup(old) // what is gone is stored again
	w.same(0, old)
	w.check()
}

func TestACollectionGoesOnAfterAnyFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	base, _, now, _ := forgottenWorld(t)
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_, _ = w.collect(f)
		w.check() // at once, with what is half done
		w.clean()
		w.same(0, now)
	})
}

// during runs something else before the n-th call of what goes through the store that it returns.
func during(s store.Store, n int, do func()) *storetest.Faulty {
	f := &storetest.Faulty{Store: s}
	at := storetest.Nth(n, errFault)
	f.Before = func(op storetest.Op, name string) error {
		if at(op, name) != nil {
			do()
		}
		return nil
	}
	return f
}

// What a backup relies on is there, though at any of its calls a whole collection runs: one that
// declares it dead, or one that leaves it alone and goes on later.
func TestABackupIsWholeWhereverACollectionRuns(t *testing.T) {
	base, _, _, old := forgottenWorld(t)
	for name, options := range map[string]func(o *collect.Options){"fencing": fencing, "waiting": func(*collect.Options) {}} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				f := during(w.store, n, func() {
					other := *w
					other.cache = t.TempDir() // another machine
					if _, err := other.collect(w.store, options); err != nil && !errors.Is(err, collect.ErrBusy) {
						t.Errorf("collect: %v", err)
					}
				})
				o := w.options(old.clone())
				o.Publish = time.Hour
				if _, err := w.backup(f, o); err != nil {
					t.Errorf("backup: %v", err)
				}
				w.check()
				w.same(0, old)
				w.clean()
				w.same(0, old)
				return len(f.Calls())
			})
		})
	}
}

// Backups run as a whole at any call of a collection. Of two in a row the second has a session that
// follows a record of which a log that was read before knows nothing: that is no gap.
func TestACollectionLeavesBackupsAloneThatRunMeanwhile(t *testing.T) {
	base, _, _, old := forgottenWorld(t)
	for name, backups := range map[string]int{"one": 1, "two": 2} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				f := during(w.store, n, func() {
					other := *w
					other.cache = t.TempDir()
					for range backups {
						if _, err := other.backup(w.store, other.options(old.clone())); err != nil {
							t.Errorf("backup: %v", err)
						}
					}
				})
				if _, err := w.collect(f); err != nil {
					t.Errorf("collect: %v", err)
				}
				if n <= len(f.Calls()) {
					w.check()
					w.same(0, old)
					w.clean()
					w.same(0, old)
				}
				return len(f.Calls())
			})
		})
	}
}

// What is undeleted or held at any call of a collection is whole, or it was refused.
func TestWhatIsBroughtBackDuringACollectionIsWhole(t *testing.T) {
	base, first, now, old := forgottenWorld(t)
	delete(old.files, "new")
	for name, do := range map[string]func(t *testing.T, s *catalog.Session) error{
		"undelete": func(t *testing.T, s *catalog.Session) error { return s.Undelete(t.Context(), []archive.Name{first.ID}) },
		"hold": func(t *testing.T, s *catalog.Session) error {
			return s.Hold(t.Context(), []archive.Name{first.ID}, "why", time.Time{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			backs, lates := 0, 0
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				back := false
				f := during(w.store, n, func() {
					err := w.decides(w.store, func(s *catalog.Session) error { return do(t, s) })
					back = err == nil
					if err != nil && !errors.Is(err, catalog.ErrCollected) {
						t.Errorf("%s: %v", name, err)
					}
				})
				if _, err := w.collect(f); err != nil {
					t.Errorf("collect: %v", err)
				}
				w.check()
				w.clean()
				w.same(0, now)
				if n > len(f.Calls()) {
					return len(f.Calls())
				}
				all := w.snapshots()
				if back != (len(all) == 2) {
					t.Errorf("brought back: %v, and there are %d snapshots", back, len(all))
				}
				if back {
					backs++
					to := newTarget()
					if _, err := w.restoreTo(to, all[0], 0, restore.Options{Verify: true}); err != nil || old.differs(to) != "" {
						t.Errorf("restore: %v, %s", err, old.differs(to))
					}
				} else {
					lates++
				}
				return len(f.Calls())
			})
			if backs == 0 || lates == 0 {
				t.Errorf("brought back %d times, too late %d times: want both", backs, lates)
			}
		})
	}
}

// Another collector runs as a whole at any call of a collection.
func TestTwoCollectorsDoNotHarmEachOther(t *testing.T) {
	base, first, now, _ := forgottenWorld(t)
	for name, other := range map[string]func(o *collect.Options){
		"alike":             func(*collect.Options) {},
		"with another term": func(o *collect.Options) { o.Grace = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				f := during(w.store, n, func() {
					if _, err := w.collect(w.store, other); err != nil && !errors.Is(err, collect.ErrBusy) {
						t.Errorf("the other: %v", err)
					}
					// What the other has left is brought back, where it can be.
					err := w.decides(w.store, func(s *catalog.Session) error { return s.Undelete(t.Context(), []archive.Name{first.ID}) })
					if err != nil && !errors.Is(err, catalog.ErrCollected) {
						t.Errorf("undelete: %v", err)
					}
				})
				if _, err := w.collect(f); err != nil {
					t.Errorf("collect: %v", err)
				}
				w.check()
				w.clean()
				w.same(0, now)
				return len(f.Calls())
			})
		})
	}
}

// Whoever deletes what another collector has swept looks himself whether it is needed.
func TestASweepOfWhatIsNeededDeletesNothing(t *testing.T) {
	w := newWorld(t)
	src := randomSource(3, 30_000, 1)
	w.mustBackup(src)
	w.letForget()
	before := packs(t, w.store)
	w.collects(t, "sweep", 1)
	w.mustCollect()
	if left := packs(t, w.store); left != before {
		t.Errorf("%d of %d packs are left", left, before)
	}
	w.check()
	w.same(0, src)
}

func TestWhatNoRecordNamesGoesWhenItIsMetAgain(t *testing.T) {
	w := newWorld(t)
	src := randomSource(3, 30_000, 1)
	w.mustBackup(src)
	if err := w.decides(w.store, func(s *catalog.Session) error { return s.End(t.Context(), nil, nil) }); err != nil {
		t.Fatal(err)
	}
	before := packs(t, w.store)
	f := &storetest.Faulty{Store: w.store, Before: storetest.On(func(_ storetest.Op, name string) error {
		if strings.HasPrefix(name, "index/") {
			return errFault // it dies before it can name what it has uploaded
		}
		return nil
	}, storetest.Put)}
	more := src.clone()
	more.add("more", randomBytes(30_000, 60))
	if _, err := w.backup(f, w.options(more)); err == nil {
		t.Fatal("the backup did not fail")
	}
	left := packs(t, w.store) - before
	if report := w.mustCollect(fencing); left == 0 || report.Deleted != 0 || report.Sighted != left {
		t.Errorf("%d left: %+v", left, report)
	}
	if report := w.mustCollect(fencing); report.Deleted != left || packs(t, w.store) != before {
		t.Errorf("%d left: %+v", left, report)
	}
	w.clean()
	w.same(0, src)
}

func TestACollectionStopsAtWhatDoesNotVerify(t *testing.T) {
	base, _, now, _ := forgottenWorld(t)
	before := packs(t, base.store)
	last := func(w *world, prefix string) (name string) {
		for info := range w.store.List(t.Context(), prefix, "") {
			name = info.Name
		}
		return name
	}
	for name, spoil := range map[string]func(w *world){
		"a gap":                         func(w *world) { _ = w.store.Delete(t.Context(), "log/host.0/0000000001") },
		"a record that is none":         func(w *world) { w.store.Set("log/host.9/0000000001", []byte("nothing")) },
		"a record of nobody":            func(w *world) { w.store.Set("log/nobody.0/0000000001", []byte("nothing")) },
		"a session that is none":        func(w *world) { w.store.Set("sessions/host.3.0000000001", []byte("nothing")) },
		"refs that are gone":            func(w *world) { _ = w.store.Delete(t.Context(), last(w, "refs/")) },
		"refs that are damaged":         func(w *world) { w.store.Set(last(w, "refs/"), []byte("nothing")) },
		"a config that is not signed":   func(w *world) { w.store.Set("config/0000000099", []byte("nothing")) },
		"a clock that jumped by years":  func(w *world) { w.store.Now = func() time.Time { return time.Now().AddDate(3, 0, 0) } },
		"a clock that jumped backwards": func(w *world) { w.store.Now = func() time.Time { return time.Now().AddDate(-3, 0, 0) } },
	} {
		t.Run(name, func(t *testing.T) {
			w := base.branch(t)
			spoil(w)
			w.cache = "" // it must not hide anything
			_, err := w.collect(w.store)
			if err == nil || packs(t, w.store) != before {
				t.Errorf("error %v, %d packs of %d", err, packs(t, w.store), before)
			}
		})
	}
	w := base.branch(t)
	w.mustCollect()
	w.same(0, now)
}

func TestAnOpenSessionIsWaitedForAndALaterRunGoesOn(t *testing.T) {
	w, _, now, old := forgottenWorld(t)
	repo, err := w.open(w.store)
	if err != nil {
		t.Fatal(err)
	}
	session, err := repo.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := *w
	other.cache = t.TempDir()
	before := packs(t, w.store)
	for range 2 {
		if _, err := other.collect(w.store); !errors.Is(err, collect.ErrBusy) || packs(t, w.store) != before {
			t.Errorf("while a session is open: %v, %d packs of %d", err, packs(t, w.store), before)
		}
	}
	waited := 0
	report, err := other.collect(w.store, func(o *collect.Options) {
		o.Wait = time.Hour
		o.Pause = func(context.Context, time.Duration) error {
			if waited++; waited == 3 {
				return session.End(t.Context(), nil, nil)
			}
			return nil
		}
	})
	session.Close()
	if err != nil || report.Deleted == 0 || report.Finished != 1 || waited != 3 || len(report.Ended) > 0 {
		t.Errorf("%v, %+v, waited %d times", err, report, waited)
	}
	w.clean()
	w.same(0, now)
	w.mustBackup(old)
	w.same(0, old)
	w.check()
}

func TestASessionOfThisHostThatWasKilledIsEndedAtOnce(t *testing.T) {
	w, _, now, _ := forgottenWorld(t)
	repo, err := w.open(w.store)
	if err != nil {
		t.Fatal(err)
	}
	session, err := repo.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.collect(w.store); !errors.Is(err, collect.ErrBusy) {
		t.Errorf("while it is at work: %v", err)
	}
	session.Close() // killed
	report := w.mustCollect()
	if len(report.Ended) != 1 || report.Deleted == 0 {
		t.Errorf("%+v", report)
	}
	w.clean()
	w.same(0, now)
}

func TestAPlanIsDoneOrItHasChanged(t *testing.T) {
	w, first, now, _ := forgottenWorld(t)
	repo, err := w.owning(w.store)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := collect.MakePlan(t.Context(), repo, catalog.Term{Now: time.Now()})
	if err != nil || len(plan.Packs) == 0 || plan.Bytes == 0 {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	only := func(o *collect.Options) {
		o.Only = catalog.PackSet{plan.Packs[0].Name: true}
	}
	changed := w.branch(t)
	err = changed.decides(changed.store, func(s *catalog.Session) error { return s.Undelete(t.Context(), []archive.Name{first.ID}) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := changed.collect(changed.store, only); !errors.Is(err, collect.ErrChanged) {
		t.Errorf("what is needed again: %v", err)
	}
	changed.clean()
	if report := w.mustCollect(only); report.Deleted != 1 {
		t.Errorf("%+v", report)
	}
	w.clean()
	w.same(0, now)
}

func TestACheckpointHoldsItsPacksUntilItIsAbandoned(t *testing.T) {
	w, now := faultWorld(t)
	if err := w.decides(w.store, func(s *catalog.Session) error { return s.End(t.Context(), nil, nil) }); err != nil {
		t.Fatal(err)
	}
	failing := now.clone()
	failing.files["new/7"].finish = source.ErrFailed
	if _, err := w.backup(w.store, w.options(failing)); err == nil {
		t.Fatal("the backup did not fail")
	}
	before := packs(t, w.store)
	if w.mustCollect(); packs(t, w.store) != before {
		t.Error("what a checkpoint holds was deleted")
	}
	w.check()
	w.store.Now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	if report := w.mustCollect(); report.Deleted == 0 {
		t.Errorf("after a week: %+v", report)
	}
	w.check()
	w.resumes(now)
	w.clean()
}

// A hundred rounds of change, forgetting and collecting leave what is needed, and nothing else.
func TestSpaceComesBack(t *testing.T) {
	w := newWorld(t)
	src := randomSource(6, 20_000, 1)
	var all []*catalog.Snapshot
	for day := range 12 {
		src.change(fmt.Sprintf("dir/file%03d.bin", day%6), randomBytes(20_000, 100+uint64(day)))
		all = append(all, w.mustBackup(src))
		if day >= 2 {
			w.forget(all[day-2].ID)
			w.mustCollect()
		}
	}
	w.clean()
	w.same(0, src)
	if n := packs(t, w.store); n > 12 {
		t.Errorf("%d packs for two snapshots", n)
	}
	if !slices.ContainsFunc(w.snapshots(), func(s *catalog.Snapshot) bool { return s.ID == all[11].ID }) {
		t.Error("the last snapshot is gone")
	}
}

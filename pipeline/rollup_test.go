package pipeline_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/collect"
)

// Roll-up: what counts is as it was, and the older part of the log goes.

func rolling(o *collect.Options) { o.RollAfter, o.DeadAfter = 1, 0 }

// names lists objects below a prefix.
func (w *world) names(prefix string) (names []string) {
	w.t.Helper()
	for info, err := range w.store.List(w.t.Context(), prefix, "") {
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

// said is what a reader sees of snapshots and the log.
func (w *world) said() string {
	w.t.Helper()
	var out strings.Builder
	for _, s := range w.snapshots() {
		fmt.Fprintln(&out, s.ID, s.Time.UTC().Round(0), s.Date.UTC().Round(0), s.Undated, s.Tags, len(s.Held), s.Standing, s.Writer)
	}
	return out.String()
}

func (w *world) letForget() {
	w.t.Helper()
	repo, err := w.owning(w.store)
	if err == nil {
		err = repo.LetForget(w.t.Context(), w.owner)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// rolledWorld has three snapshots, of which the first is forgotten, another is held and tagged.
func rolledWorld(t testing.TB) (w *world, now *fakeSource, ids []archive.Name) {
	w = newWorld(t)
	now = randomSource(4, 9_000, 1)
	for day := range 3 {
		now.change("dir/file001.bin", randomBytes(9_000, uint64(30+day)))
		ids = append(ids, w.mustBackup(now).ID)
	}
	w.letForget()
	w.forget(ids[0])
	if err := w.decides(w.store, func(s *catalog.Session) error { return s.Hold(t.Context(), ids[1:2], "why", time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	w.tagAll("kept")
	return w, now, ids
}

func TestARollUpLeavesWhatCountsAsItIs(t *testing.T) {
	w, now, _ := rolledWorld(t)
	w.mustCollect()
	before := w.said()
	report := w.mustCollect(rolling)
	if report.RolledUp == 0 || len(w.names("log/")) > 0 || len(w.names("sessions/")) > 0 || len(w.names("gc/")) > 0 {
		t.Errorf("%+v; there are %q, %q, %q", report, w.names("log/"), w.names("sessions/"), w.names("gc/"))
	}
	if after := w.said(); after != before {
		t.Errorf("got\n%swant\n%s", after, before)
	}
	w.check()
	w.same(0, now)
	for range 3 { // what is forgotten goes with the next but one
		s := w.mustBackup(now)
		if s.Sources[0].Coverage.Unmodified == 0 {
			t.Error("the last tree is not used after a roll-up")
		}
		w.mustCollect(rolling)
		w.check()
		w.same(0, now)
	}
	if log := w.log(); len(log.Problems) > 0 || len(log.RolledBack()) > 0 {
		t.Errorf("%v, %q", log.Problems, log.RolledBack())
	}
	if n := len(w.names("index/")); n > 12 {
		t.Errorf("%d index runs", n)
	}
}

// cached lists the objects in the cache.
func (w *world) cached() (names []string) {
	w.t.Helper()
	objects := os.DirFS(filepath.Join(w.cache, "objects"))
	err := fs.WalkDir(objects, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

func TestTheCacheDoesNotKeepWhatIsRolledUp(t *testing.T) {
	w := newWorld(t)
	now := randomSource(4, 9_000, 1)
	w.letForget()
	var counts []int
	for round := range 4 {
		for day := range 6 {
			now.change("dir/file001.bin", randomBytes(9_000, uint64(30+10*round+day)))
			w.forget(w.mustBackup(now).ID)
			w.mustCollect(func(o *collect.Options) { o.RollAfter, o.DeadAfter = 1000, 0 })
		}
		w.mustBackup(now)
		w.mustCollect(rolling)
		w.mustBackup(now)
		counts = append(counts, len(w.cached()))
	}
	if last := counts[len(counts)-1]; last > counts[1]+2 {
		t.Errorf("the cache has %d objects after the rounds: %q", counts, w.cached())
	}
	w.requests("an unchanged backup after the cache was tidied", 13, func(s store.Store) {
		if _, err := w.backup(s, w.options(now)); err != nil {
			t.Fatal(err)
		}
	})
	w.check()
	w.same(0, now)
}

func TestARollUpGoesOnAfterAnyFault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	base, now, _ := rolledWorld(t)
	base.mustCollect()
	base.mustCollect(rolling)
	base.mustBackup(now)
	before := base.said()
	eachFault(t, base, func(t *testing.T, w *world, f *storetest.Faulty) {
		_, _ = w.collect(f, rolling)
		w.check() // at once, with what is half done
		if after := w.said(); after != before {
			t.Errorf("got\n%swant\n%s", after, before)
		}
		w.mustBackup(now)
		w.mustCollect(rolling)
		w.check()
		w.same(0, now)
		if left := w.names("log/"); len(left) > 0 {
			t.Errorf("%q are left", left)
		}
	})
}

// Whatever stands still across roll-ups, what it says has happened has.
func TestABackupIsWholeWhereverRecordsAreRolledUp(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while under the race detector")
	}
	base, now, ids := rolledWorld(t)
	base.mustCollect()
	for name, options := range map[string]func(o *collect.Options){
		"fencing": rolling, "waiting": func(o *collect.Options) { o.RollAfter = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, func(t *testing.T, n int) int {
				w := base.branch(t)
				f := during(w.store, n, func() {
					other := *w
					other.cache = t.TempDir() // another machine
					for range 3 {
						// a session that is declared dead, and the record that says so, may both be
						// rolled up
						session, err := other.decide(w.store)
						if err != nil {
							t.Fatal(err)
						}
						if err := session.Forget(t.Context(), ids[2:]); err != nil {
							t.Fatal(err)
						}
						session.Close()
						if _, err := other.collect(w.store, options); err != nil {
							t.Logf("collect: %v", err)
						}
					}
				})
				src := now.clone()
				src.add("new", randomBytes(700, 99))
				if _, err := w.backup(f, w.options(src)); err != nil {
					t.Errorf("backup: %v", err)
				}
				w.check()
				w.mustCollect(rolling)
				w.same(0, src)
				return len(f.Calls())
			})
		})
	}
}

func (w *world) decide(s store.Store) (*catalog.Session, error) {
	repo, err := w.owning(s)
	if err != nil {
		return nil, err
	}
	return repo.BeginDeciding(w.t.Context(), w.owner)
}

// What is about to leave the log cannot be brought back; what is brought back does not leave.
func TestAnUndeleteCountsWhereverRecordsAreRolledUp(t *testing.T) {
	base, _, ids := rolledWorld(t)
	eachCall(t, func(t *testing.T, n int) int {
		w := base.branch(t)
		other := *w
		other.cache = t.TempDir()
		f := during(w.store, n, func() {
			for range 3 {
				if _, err := other.collect(w.store, rolling); err != nil {
					t.Errorf("collect: %v", err)
				}
				session, err := other.decide(w.store)
				if err == nil {
					err = session.Unhold(t.Context(), nil)
					session.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		err := w.decides(f, func(s *catalog.Session) error { return s.Undelete(t.Context(), ids[:1]) })
		if counts := strings.Contains(w.said(), ids[0].String()); counts != (err == nil) {
			t.Errorf("undelete: %v; the snapshot counts: %v", err, counts)
		}
		w.check()
		return len(f.Calls())
	})
}

// Who has opened the repository before its first roll-up, and begins after it, misses nothing.
func TestAHostThatOpenedBeforeARollUpMissesNothing(t *testing.T) {
	for rolls := range 3 {
		w, now, _ := rolledWorld(t)
		w.mustCollect()
		memory := t.TempDir()
		open := func() *catalog.Repository {
			look, err := catalog.LookAt(t.Context(), w.store)
			if err != nil {
				t.Fatal(err)
			}
			repo, err := catalog.Open(t.Context(), w.store, catalog.Options{Keys: catalog.Keys{Writer: w.writer}, CacheDir: w.cache, Memory: memory, Look: look})
			if err != nil {
				t.Fatal(err)
			}
			return repo
		}
		repo := open()
		// Another process of the same host sees more, which is rolled up then.
		if _, err := backup.Run(t.Context(), open(), w.options(now)); err != nil {
			t.Fatal(err)
		}
		other := *w
		other.cache = t.TempDir()
		for range rolls {
			other.mustCollect(rolling)
			other.mustBackup(now)
		}
		session, err := repo.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(session.RolledBack) > 0 || len(session.Log.Problems) > 0 {
			t.Errorf("after %d roll-ups: %q are missing, %v", rolls, session.RolledBack, session.Log.Problems)
		}
		if err := session.End(t.Context(), nil, nil); err != nil {
			t.Error(err)
		}
		session.Close()
		w.mustBackup(now)
		w.check()
	}
}

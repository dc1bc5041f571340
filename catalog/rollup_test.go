package catalog

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
)

// rolled rolls up what there is.
func (w *world) rollUp() *RollUp {
	w.t.Helper()
	r := w.host(w.store)
	if err := r.LetForget(w.t.Context(), w.owner); err != nil {
		w.t.Fatal(err)
	}
	done, err := r.RollUp(w.t.Context(), w.owner, Term{Now: time.Now()}, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

func (w *world) commitsOne(content string) {
	w.t.Helper()
	s := w.begin()
	defer s.Close()
	p, refs := w.pack(s, content)
	if _, err := s.Commit(w.t.Context(), Content{Snapshot: snapshotNow(), Packs: one(p), Refs: refs}); err != nil {
		w.t.Fatal(err)
	}
}

func snapshotNow() *Snapshot {
	s := snapshot()
	s.Time, s.Started = time.Now(), time.Now()
	return s
}

func TestHistoryIsCheckedToTheFirstRecord(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(w *world)
		want   string
	}{
		"nothing":            {func(*world) {}, ""},
		"a roll is gone":     {func(w *world) { w.remove("roll/0000000001") }, "roll/0000000001"},
		"history is gone":    {func(w *world) { w.remove(w.first("history/")) }, "history"},
		"history is damaged": {func(w *world) { w.store.Set(w.first("history/"), []byte("nothing")) }, "history/"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 3 {
				w.commitsOne(name + string(rune('a'+i)))
				w.rollUp()
			}
			log := w.log()
			c.damage(w)
			var found []string
			records, err := w.reader().CheckHistory(t.Context(), log, func(object string, err error) { found = append(found, object+": "+err.Error()) })
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" && (len(found) > 0 || records != 3) || c.want != "" && !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("%d records, found %q, want %q", records, found, c.want)
			}
		})
	}
}

// first is the first object below a prefix that only history names.
func (w *world) first(prefix string) string {
	w.t.Helper()
	l, err := w.reader().readRollBody(w.t.Context(), 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return prefix + l.History[0]
}

func TestARolledBackBucketIsToldAfterARollUp(t *testing.T) {
	w := newWorld(t)
	w.commitsOne("one")
	before := w.store.Clone()
	w.commitsOne("two")
	w.rollUp()
	seen := w.host(w.store)
	if log, err := seen.ReadLog(t.Context()); err != nil || len(log.RolledBack()) > 0 {
		t.Fatal(log.RolledBack(), err)
	}
	log, err := w.host(before).ReadLog(t.Context())
	if err != nil || len(log.RolledBack()) == 0 {
		t.Errorf("got %q, %v", log.RolledBack(), err)
	}
}

// TestATombstoneThatComesAfterARollUpIsNotBuiltOn suspends a run that is about to end the session of
// one that was killed. Meanwhile a collector ends that session, and the owner rolls it up, so that
// its names are free again.
func TestATombstoneThatComesAfterARollUpIsNotBuiltOn(t *testing.T) {
	for when, c := range map[string]struct {
		op   storetest.Op
		name func(s *Session) string
	}{
		"before it opens a session":      {storetest.Put, func(s *Session) string { return s.lane.session(s.sequence) }},
		"before it reads the session":    {storetest.Get, func(s *Session) string { return s.lane.session(s.sequence) }},
		"before it writes the tombstone": {storetest.Put, func(s *Session) string { return s.lane.record(s.sequence) }},
	} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			w.commitsOne("one")
			dead := w.begin()
			dead.Close()
			suspended := false
			session, record := dead.lane.session(dead.sequence), dead.lane.record(dead.sequence)
			f := &storetest.Faulty{Store: w.store, Before: func(op storetest.Op, name string) error {
				if suspended || op != c.op || name != c.name(dead) {
					return nil
				}
				suspended = true
				w.fence(dead)
				w.rollUp()
				if _, err := w.store.Get(t.Context(), session, 0, -1, nil); err == nil {
					w.remove(session) // as a prune does
				}
				if _, err := w.store.Get(t.Context(), record, 0, -1, nil); !errors.Is(err, store.ErrNotExist) {
					t.Errorf("%s is still there: %v", record, err)
				}
				return nil
			}}
			s, err := w.host(f).Begin(t.Context())
			if err != nil || !suspended {
				t.Fatalf("suspended: %v, %v", suspended, err)
			}
			defer s.Close()
			if s.lane != dead.lane || s.sequence != dead.sequence+1 {
				t.Errorf("goes on at %s %d, the dead session was %s %d", s.lane, s.sequence, dead.lane, dead.sequence)
			}
			p, refs := w.pack(s, "two")
			if _, err := s.Commit(t.Context(), Content{Snapshot: snapshotNow(), Packs: one(p), Refs: refs}); err != nil {
				t.Fatal(err)
			}
			if n := len(w.log().commits(func(*Fate) bool { return true })); n != 2 {
				t.Errorf("%d snapshots, want 2", n)
			}
			w.sound()
		})
	}
}

// TestARunThatBeginsAgainFollowsTheFirstRollUp suspends a run before its commit. Meanwhile its session
// is ended, and rolled up under a config that is the first to require this. The commit comes too
// late, and the run begins again under the config that it knows.
func TestARunThatBeginsAgainFollowsTheFirstRollUp(t *testing.T) {
	w := newWorld(t)
	w.commitsOne("one")
	r := w.opened(w.store, Options{Keys: Keys{Writer: w.writer}, CacheDir: t.TempDir()})
	commit := func() error {
		s, err := r.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p, refs := w.pack(s, "two")
		if s.sequence == 2 {
			w.fence(s)
			w.rollUp()
			w.remove(s.lane.session(s.sequence)) // as a prune does
		}
		_, err = s.Commit(t.Context(), Content{Snapshot: snapshotNow(), Packs: one(p), Refs: refs})
		return err
	}
	wantError(t, commit(), ErrRestart)
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.log().commits(func(*Fate) bool { return true })); n != 2 {
		t.Errorf("%d snapshots, want 2", n)
	}
	w.sound()
}

// Who has opened a session before the roll that says what leaves may bring it back.
func TestNothingLeavesTheLogBeforeWhoMayNotKnowHasEnded(t *testing.T) {
	w := decidingWorld(t)
	gone, _ := w.committed("a")
	w.forget(w.owner, gone)
	open, err := w.deciding(w.store, w.collector)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for _, content := range []string{"b", "c", "d"} {
		w.committed(content)
		if w.rollUp().Number == 0 {
			t.Fatal("nothing is rolled up")
		}
	}
	if err := open.Undelete(t.Context(), []archive.Name{gone}); err != nil {
		t.Fatal(err)
	}
	if got := w.listed(gone); !got[0] {
		t.Error("what was brought back has left the log")
	}
	w.sound()
}

func TestAForgedRollIsPassedOver(t *testing.T) {
	w := newWorld(t)
	w.commitsOne("one")
	w.rollUp()
	w.sign(w.writer.Signer, rollName(9), rollBody{Number: 9})
	log := w.log()
	if len(log.commits(func(*Fate) bool { return true })) != 1 || log.rolled.Number != 1 {
		t.Errorf("roll %d, %d records", log.rolled.Number, len(log.Records))
	}
}

func TestManyRecordsOpenWithFewRequests(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.commitsOne("the same")
	}
	w.rollUp()
	w.commitsOne("after")
	f := &storetest.Faulty{Store: w.store}
	r := w.opened(f, Options{Keys: Keys{Identities: w.identities()}})
	log, err := r.ReadLog(t.Context())
	if err != nil || len(log.Problems) > 0 || len(log.commits(func(*Fate) bool { return true })) != 41 {
		t.Fatal(len(log.Records), log.Problems, err)
	}
	if n := len(f.Calls()); n > 12 {
		t.Errorf("%d requests: %v", n, f.Calls())
	}
}

func (w *world) remove(name string) {
	w.t.Helper()
	if err := w.store.Delete(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

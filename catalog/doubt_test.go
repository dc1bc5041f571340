package catalog

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/crypto"
)

// watcher opens the repository as somebody who restores, on a machine that remembers.
func (w *world) watcher(s *memory.Store, dir string) *Repository {
	w.t.Helper()
	return w.opened(s, Options{Keys: Keys{Identities: w.identities()}, Memory: dir})
}

// doubts are what a reader of s doubts.
func (w *world) doubts(s *memory.Store, dir string) (*Repository, *Log, []Doubt) {
	w.t.Helper()
	r := w.watcher(s, dir)
	log, err := r.ReadLog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	_, defects, err := r.ReadSnapshots(w.t.Context(), log)
	if err != nil {
		w.t.Fatal(err)
	}
	doubts, err := r.Doubts(w.t.Context(), log, defects)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, log, doubts
}

// commits adds a snapshot of now.
func (w *world) commits(text string) *Snapshot {
	w.t.Helper()
	s := w.begin()
	defer s.Close()
	c := content(w.pack(s, text))
	now := time.Now().UTC()
	c.Snapshot.Time, c.Snapshot.Started, c.Snapshot.Claimed = now, now, now
	if _, err := s.Commit(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	return c.Snapshot
}

func TestReadersMissWhatTheyHaveSeen(t *testing.T) {
	w := newWorld(t)
	w.commits("one")
	w.commits("two")
	w.grace("2h")
	dir := t.TempDir()
	if _, _, doubts := w.doubts(w.store, dir); len(doubts) > 0 {
		t.Fatalf("doubts %v before anything is missing", doubts)
	}
	for object, what := range map[string]string{"log/host.0/0000000002": "of host.0", configName(2): "of config"} {
		s := w.store.Clone()
		if err := s.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it is told as long as it holds
			r, _, doubts := w.doubts(s, dir)
			if len(doubts) != 1 || !doubts[0].Proven || !strings.Contains(doubts[0].Err.Error(), what) || !r.Concerns(doubts[0], "host") {
				t.Errorf("without %s: doubts %v, want one %s", object, doubts, what)
			}
		}
		if _, _, doubts := w.doubts(s, t.TempDir()); len(doubts) > 0 {
			t.Errorf("without %s: doubts %v of somebody who has not seen it", object, doubts)
		}
	}
	if _, _, doubts := w.doubts(w.store, dir); len(doubts) > 0 {
		t.Errorf("doubts %v after all has come back", doubts)
	}
	w.sound()
}

// unlisted is a store whose listings leave an object out.
type unlisted struct {
	*memory.Store
	name string
}

func (u unlisted) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for info, err := range u.Store.List(ctx, prefix, after) {
			if info.Name != u.name && !yield(info, err) {
				return
			}
		}
	}
}

func TestAListingThatIsBehindAlarmsNobody(t *testing.T) {
	w := newWorld(t)
	w.commits("one")
	w.commits("two")
	dir := t.TempDir()
	w.doubts(w.store, dir)
	o := Options{Keys: Keys{Identities: w.identities()}, Memory: dir}
	log, err := w.opened(unlisted{w.store, "log/host.0/0000000002"}, o).ReadLog(t.Context())
	if err != nil || len(log.Records) != 1 || len(log.RolledBack()) > 0 {
		t.Errorf("%d records, rolled back %q, %v", len(log.Records), log.RolledBack(), err)
	}
	w.sound()
}

func TestAReaderThatIsBehindAnotherForgetsNothing(t *testing.T) {
	w := newWorld(t)
	w.commits("one")
	before := w.store.Clone()
	dir := t.TempDir()
	slow := w.watcher(before, dir)
	w.commits("two")
	w.doubts(w.store, dir)
	if log, err := slow.ReadLog(t.Context()); err != nil || len(log.RolledBack()) > 0 {
		t.Errorf("rolled back %q, %v: it had seen no more", log.RolledBack(), err)
	}
	if _, _, doubts := w.doubts(before, dir); len(doubts) != 1 {
		t.Errorf("doubts %v, want one: a slower process must not make this host forget", doubts)
	}
	w.sound()
}

// damages makes the record at a number one that nobody has signed.
func damages(t *testing.T, s *memory.Store, number int) *memory.Store {
	t.Helper()
	name := fmt.Sprintf("log/host.0/%010d", number)
	s = s.Clone()
	data := get(t, s, name)
	s.Set(name, flip(data, len(data)/2))
	return s
}

func TestWhatLatestMeansIsDoubtedOnlyWhereSomethingNewerMayBeMissing(t *testing.T) {
	w := newWorld(t)
	var all []*Snapshot
	for i := range 3 {
		all = append(all, w.commits(fmt.Sprint(i)))
	}
	dir := t.TempDir()
	w.doubts(w.store, dir)
	for _, test := range []struct {
		what, name string
		s          *memory.Store
		memory     string
		means      int // of all
		host       string
		doubtful   bool
	}{
		{"nothing", "latest", w.store, dir, 2, "", false},
		{"the newest is damaged", "latest", damages(t, w.store, 3), "", 1, "", true},
		{"the newest is damaged", "latest", damages(t, w.store, 3), "", 1, "host", true},
		{"the newest is damaged", "latest~1", damages(t, w.store, 3), "", 0, "", true},
		{"the newest is damaged", "@2999-01-01", damages(t, w.store, 3), "", 1, "", true},
		{"the newest is damaged", all[1].ID.String(), damages(t, w.store, 3), "", 1, "", false},
		{"an older one is damaged", "latest", damages(t, w.store, 2), "", 2, "", false},
		{"an older one is damaged", "latest~1", damages(t, w.store, 2), "", 0, "", true},
		{"the first is damaged", "latest~1", damages(t, w.store, 1), "", 1, "", false},
		{"the newest is gone", "latest", without(t, w.store, "log/host.0/0000000003"), dir, 1, "", true},
		{"the newest is gone", "latest", without(t, w.store, "log/host.0/0000000003"), "", 1, "", false},
		{"the newest is gone", all[0].ID.String(), without(t, w.store, "log/host.0/0000000003"), dir, 0, "", false},
		{"an older one is gone", "latest", without(t, w.store, "log/host.0/0000000002"), "", 2, "", false},
		{"an older one is gone", "latest~1", without(t, w.store, "log/host.0/0000000002"), "", 0, "", true},
		{"the config is gone", "latest", without(t, w.store, configName(1)), dir, 2, "", true},
		{"the config is gone", all[0].ID.String(), without(t, w.store, configName(1)), dir, 0, "", true},
		{"garbage in a lane of nobody", "latest", with(w.store, "log/nobody.0/0000000001"), "", 2, "", false},
		{"garbage in the owner's lane", "latest", with(w.store, "log/owner.0/0000000001"), "", 2, "", false},
		{"garbage in another lane of the writer", "latest", with(w.store, "log/host.1/0000000001"), "", 2, "", true},
	} {
		if test.memory != "" { // what one case has seen must not be missed by the next
			w.doubts(w.store, test.memory)
		}
		r, log, doubts := w.doubts(test.s, test.memory)
		err := r.Certain(log, doubts, test.name, test.host, readAs(t, r, log, all[test.means]))
		if test.doubtful {
			t.Logf("%s: %s", test.what, test.name)
			wantError(t, err, ErrDoubtful)
		} else if err != nil {
			t.Errorf("%s: %s: %v", test.what, test.name, err)
		}
	}
	w.sound()
}

func without(t *testing.T, s *memory.Store, name string) *memory.Store {
	t.Helper()
	s = s.Clone()
	if err := s.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return s
}

func with(s *memory.Store, name string) *memory.Store {
	s = s.Clone()
	s.Set(name, []byte("garbage"))
	return s
}

// readAs is a snapshot as a reader of the log has it.
func readAs(t *testing.T, r *Repository, log *Log, s *Snapshot) *Snapshot {
	t.Helper()
	all, _, err := r.ReadSnapshots(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	for _, read := range all {
		if read.ID == s.ID {
			return read
		}
	}
	t.Fatalf("snapshot %s is not there", s.ID)
	return nil
}

func TestADamagedLaneConcernsTheHostsOfItsWriterAlone(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.change(func(c *Config) {
		c.Writers[0].Hosts = []string{"web-*"}
		c.Writers = append(c.Writers, Member{Key: other.Verifier().Text(), Hosts: []string{"db-*"}})
	})
	w.store.Set("log/other.0/0000000001", []byte("garbage"))
	r, _, doubts := w.doubts(w.store, "")
	if len(doubts) != 1 {
		t.Fatalf("doubts %v, want one", doubts)
	}
	for host, want := range map[string]bool{"db-1": true, "web-1": false, "": true, "elsewhere": false} {
		if got := r.Concerns(doubts[0], host); got != want {
			t.Errorf("host %q: %v, want %v", host, got, want)
		}
	}
}

func TestAWritersWordStopsNobodyAndTheOwnersDoes(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.change(func(c *Config) { c.Writers = append(c.Writers, Member{Key: other.Verifier().Text()}) })
	mine := w.commits("one")
	missing := map[string]Head{"host.0": {9, strings.Repeat("a", 64)}}
	for _, test := range []struct {
		by     crypto.Signer
		proven bool
	}{{other, false}, {w.collector, true}, {w.owner, true}} {
		fresh := *w
		fresh.store = w.store.Clone()
		lane := Lane{test.by.Name(), 0}
		fresh.sign(test.by, lane.record(1), clear{Kind: Tombstone, Heads: missing, Config: 8, ConfigHash: strings.Repeat("d", 64)})
		r, log, doubts := fresh.doubts(fresh.store, "")
		if len(doubts) != 2 {
			t.Fatalf("%s: doubts %v, want one of the config and one of a lane", test.by.Name(), doubts)
		}
		for _, d := range doubts {
			text := d.Err.Error()
			if d.Proven != test.proven || !strings.Contains(text, test.by.Name()) || !strings.Contains(text, "config 8") && !strings.Contains(text, "record 9 of lane host.0") {
				t.Errorf("%s: %v, proven: %v", test.by.Name(), text, d.Proven)
			}
		}
		if err := r.Certain(log, doubts, "latest", "", readAs(t, r, log, mine)); (err != nil) != test.proven {
			t.Errorf("%s: %v", test.by.Name(), err)
		}
	}
	honest := w.commits("two")
	if r, log, doubts := w.doubts(w.store, ""); len(doubts) > 0 || r.Certain(log, doubts, "latest", "", readAs(t, r, log, honest)) != nil {
		t.Errorf("doubts %v where nothing is missing", doubts)
	}
	w.sound()
}

func TestWhatTheOwnerDeclaresVoidIsNoDoubt(t *testing.T) {
	w := newWorld(t)
	w.commits("one")
	garbage := []byte("garbage")
	w.store.Set("log/host.0/0000000002", garbage)
	if _, _, doubts := w.doubts(w.store, ""); len(doubts) != 1 {
		t.Errorf("doubts %v, want one", doubts)
	}
	w.change(func(c *Config) { c.Void = map[string]string{"log/host.0/0000000002": hash(garbage)} })
	if _, _, doubts := w.doubts(w.store, ""); len(doubts) > 0 {
		t.Errorf("doubts %v of what is void", doubts)
	}
	w.commits("two") // in another lane: the name stays taken
	w.sound()
}

func TestGarbageInTheWayOfARecordEndsTheSession(t *testing.T) {
	w := newWorld(t)
	w.commits("one")
	s := w.begin()
	w.store.Set(s.lane.record(s.sequence), []byte("garbage"))
	_, err := s.Commit(t.Context(), content(w.pack(s, "two")))
	wantError(t, err, ErrRestart)
	if err := s.End(t.Context(), nil, nil); err != nil {
		t.Errorf("end of a session that is over: %v", err)
	}
	s.Close()
	next := w.begin()
	if next.lane.Number != 1 {
		t.Errorf("the next session is in lane %s, want one that is free", next.lane)
	}
	if _, err := next.Commit(t.Context(), content(w.pack(next, "three"))); err != nil {
		t.Fatal(err)
	}
	next.Close()

	// Where lanes are blocked before, the first that is free is taken.
	for n := range 5 {
		w.store.Set(Lane{"host", uint64(2 + n)}.record(1), []byte("garbage"))
	}
	w.store.Set(Lane{"host", 1}.record(2), []byte("garbage"))
	last := w.begin()
	if last.lane.Number != 7 {
		t.Errorf("lane %s, want host.7", last.lane)
	}
	if _, err := last.Commit(t.Context(), content(w.pack(last, "four"))); err != nil {
		t.Fatal(err)
	}
	for _, rec := range w.log().Records {
		if rec.Kind != Commit {
			t.Errorf("there is a %s at %s", rec.Kind, rec.Name())
		}
	}
}

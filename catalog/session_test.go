package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/crypto"
)

func TestASessionIsOpenedBeforeTheCollectorsDecisionsAreRead(t *testing.T) {
	w := newWorld(t)
	f := &storetest.Faulty{Store: w.store}
	r := w.host(f)
	f.Reset()
	s, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, refs := w.pack(s, "one")
	if err := s.Checkpoint(t.Context(), one(p), refs, nil); err != nil {
		t.Fatal(err)
	}
	p2, refs2 := w.pack(s, "two")
	if _, err := s.Commit(t.Context(), content(p2, refs2)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"List log/", "Put sessions/", "List config/", "List gc/",
		"Put packs/", "Put index/", "Put refs/", "Sync", "Put log/", "Sync", "List roll/",
		"Put sessions/", "List log/", "List config/", "List gc/",
		"Put packs/", "Put index/", "Put refs/", "Sync", "Put log/", "Sync", "List config/", "List roll/",
	}
	var got []string
	for _, call := range f.Calls() {
		if call.Op != storetest.Get {
			kind, _, _ := strings.Cut(call.Name, "/")
			got = append(got, strings.TrimSuffix(call.Op.String()+" "+kind+"/", " /"))
		}
	}
	for range got {
		for i := 1; i < len(got); i++ { // calls of which neither waits for the other
			for _, pair := range [][2]string{{"List config/", "List gc/"}, {"List config/", "List roll/"}, {"Put index/", "Put refs/"}} {
				if got[i-1] == pair[1] && got[i] == pair[0] {
					got[i-1], got[i] = pair[0], pair[1]
				}
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls\n%q\nwant\n%q", got, want)
	}
	w.sound()
}

func one[T any](x T) []T { return []T{x} }

func TestTwoRunsOfOneHostUseTwoLanes(t *testing.T) {
	w := newWorld(t)
	a, b := w.begin(), w.begin()
	if a.lane == b.lane {
		t.Errorf("both use lane %s", a.lane)
	}
	for i, s := range []*Session{a, b} {
		if _, err := s.Commit(t.Context(), content(w.pack(s, fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	w.sound()
}

func TestADeadSessionOfThisHostIsFenced(t *testing.T) {
	w := newWorld(t)
	dead := w.begin()
	dead.Close() // the process is gone, its session is not
	s := w.begin()
	if s.lane != dead.lane || s.sequence != dead.sequence+1 {
		t.Errorf("went on at %s %d, the dead session was %s %d", s.lane, s.sequence, dead.lane, dead.sequence)
	}
	dead.lock = nil
	_, err := dead.Commit(t.Context(), content(w.pack(dead, "late")))
	wantError(t, err, ErrRestart)
	if _, err := s.Commit(t.Context(), content(w.pack(s, "new"))); err != nil {
		t.Fatal(err)
	}
	w.sound()
}

func TestASessionThatSomebodyElseHasOpenIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	other := w.begin()
	other.Close()
	w.cache = t.TempDir() // another container with the same key: no lock, no nonce
	s := w.begin()
	if s.lane == other.lane {
		t.Errorf("took lane %s of an open session", s.lane)
	}
	for i, s := range []*Session{other, s} {
		if _, err := s.Commit(t.Context(), content(w.pack(s, fmt.Sprint(i)))); err != nil {
			t.Errorf("commit %d: %v", i, err)
		}
	}
	w.sound()
}

func TestARunWhoseLaneIsTakenBetweenTwoSessionsGoesOnInAnother(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	rival := signSession(t, w, s.lane, s.sequence+1)
	p, refs := w.pack(s, "one")
	if err := s.Checkpoint(t.Context(), one(p), refs, nil); err != nil {
		t.Fatal(err)
	}
	if s.lane.session(s.sequence) == rival || s.lane.Number == 0 {
		t.Errorf("went on in %s, which another has opened", s.lane)
	}
	if _, err := s.Commit(t.Context(), content(w.pack(s, "two"))); err != nil {
		t.Fatal(err)
	}
	w.sound()
}

func signSession(t *testing.T, w *world, lane Lane, seq uint64) string {
	t.Helper()
	w.sign(w.writer.Signer, lane.session(seq), sessionNote{Nonce: "rival"})
	return lane.session(seq)
}

func TestAnAnswerThatWasLostIsFoundToBeSuccess(t *testing.T) {
	for _, err := range []error{store.ErrExist, store.ErrUnreachable, store.ErrConflict} {
		w := newWorld(t)
		f := &storetest.Faulty{Store: w.store, After: storetest.On(func(_ storetest.Op, name string) error {
			if strings.HasPrefix(name, "log/") || strings.HasPrefix(name, "sessions/") {
				return err
			}
			return nil
		}, storetest.Put)}
		s, beginErr := w.host(f).Begin(t.Context())
		if beginErr != nil {
			t.Fatal(beginErr)
		}
		if _, err := s.Commit(t.Context(), content(w.pack(s, "one"))); err != nil {
			t.Errorf("after %v: the commit failed", err)
		}
		s.Close()
		w.sound()
	}
}

func TestATombstoneMeansToBeginAgain(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	w.fence(s)
	_, err := s.Commit(t.Context(), content(w.pack(s, "one")))
	wantError(t, err, ErrRestart)
	if n := len(w.log().Records); n != 1 {
		t.Errorf("%d records, want the tombstone alone", n)
	}
	w.sound()
}

func TestAKeyInUseTwiceIsNoticed(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	w.sign(w.writer.Signer, s.lane.record(s.sequence), clear{Kind: Checkpoint, Nonce: "another"})
	_, err := s.Commit(t.Context(), content(w.pack(s, "one")))
	wantError(t, err, ErrKeyTwice)
}

func TestWhatIsBeingCollectedIsNeitherCommittedNorPublished(t *testing.T) {
	for _, kinds := range [][]string{{"condemn"}, {"sweep"}, {"condemn", "sweep"}} {
		w := newWorld(t)
		s := w.begin()
		p, refs := w.pack(s, "one")
		if err := s.Checkpoint(t.Context(), one(p), refs, nil); err != nil {
			t.Fatal(err)
		}
		for _, kind := range kinds {
			w.decide(w.collector, kind, 1, p.Pack.Name)
		}
		other, otherRefs := w.pack(s, "two")
		// The next session reads the decision, though nobody asks it about what was used.
		if err := s.Checkpoint(t.Context(), one(other), otherRefs, nil); err != nil {
			t.Fatal(err)
		}
		if !s.Avoid(p.Pack) || s.Avoid(other.Pack) {
			t.Errorf("%v: avoids %v, %v", kinds, s.Avoid(p.Pack), s.Avoid(other.Pack))
		}
		_, err := s.Commit(t.Context(), Content{Snapshot: snapshot(), Refs: refs})
		wantError(t, err, ErrRestart)
		wantError(t, s.Checkpoint(t.Context(), one(p), refs, nil), ErrRestart)
		if err := s.End(t.Context(), one(p), refs); err != nil {
			t.Error(err)
		}
		if last := s.Log.Head(s.lane); last.Kind != Checkpoint || w.log().Head(s.lane).Kind != Tombstone {
			t.Errorf("%v: the session ended with %v", kinds, w.log().Head(s.lane).Kind)
		}
	}
}

func TestASnapshotWithItsParentsRefsIsTestedToo(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	p, refs := w.pack(s, "one")
	list, err := s.Commit(t.Context(), content(p, refs))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	w.decide(w.collector, "condemn", 1, p.Pack.Name)
	s = w.begin()
	_, err = s.Commit(t.Context(), Content{Snapshot: snapshot(), Parent: &Base{List: list}})
	wantError(t, err, ErrRestart)
}

func TestDecisionsOfStrangersArePassedOverAndThoseOfRevokedCollectorsStay(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	p, refs := w.pack(s, "one")
	if _, err := s.Commit(t.Context(), content(p, refs)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	w.decide(signer(t, "stranger"), "sweep", 1, p.Pack.Name)
	w.decide(w.writer.Signer, "sweep", 2, p.Pack.Name)
	s = w.begin()
	if s.Avoid(p.Pack) {
		t.Error("a stranger's sweep counts")
	}
	s.Close()
	w.decide(w.collector, "sweep", 3, p.Pack.Name)
	w.change(func(c *Config) { c.Collectors[0].Revoked = map[string]uint64{"gc": 3} })
	s = w.begin()
	if !s.Avoid(p.Pack) {
		t.Error("what a collector had swept before it was revoked is relied on")
	}
	s.Close()
	w.change(func(c *Config) { c.Collectors[0].Revoked = map[string]uint64{"gc": 2} })
	if s = w.begin(); s.Avoid(p.Pack) {
		t.Error("a sweep after the revocation counts")
	}
}

func TestAStorageThatWasRolledBackGetsANewLaneForGood(t *testing.T) {
	w := newWorld(t)
	commit := func(name string) *Session {
		s := w.begin()
		if _, err := s.Commit(t.Context(), content(w.pack(s, name))); err != nil {
			t.Fatal(err)
		}
		s.Close()
		return s
	}
	commit("one")
	old := w.store.Clone()
	commit("two")
	w.store = old
	s := w.begin()
	if !slices.Equal(s.RolledBack, []string{"host.0"}) || s.lane.Number != 1 {
		t.Errorf("rolled back %q, lane %s", s.RolledBack, s.lane)
	}
	s.Close() // killed: the next one must notice again
	if s := commit("three"); len(s.RolledBack) != 1 || s.lane.Number == 0 {
		t.Errorf("after a run that failed: rolled back %q, lane %s", s.RolledBack, s.lane)
	}
	if s := commit("four"); len(s.RolledBack) != 0 || s.lane.Number == 0 {
		t.Errorf("later: rolled back %q, lane %s, whose records are lost", s.RolledBack, s.lane)
	}
	w.sound()
}

func TestRevokingAWriterIsNoRollBack(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.change(func(c *Config) { c.Writers = append(c.Writers, Member{Key: other.Verifier().Text()}) })
	lane := Lane{"other", 0}
	w.sign(other, lane.record(1), clear{Kind: Checkpoint})
	w.sign(other, lane.record(2), clear{Kind: Checkpoint, Previous: w.log().Head(lane).Hash.String()})
	s := w.begin()
	if _, err := s.Commit(t.Context(), content(w.pack(s, "one"))); err != nil {
		t.Fatal(err)
	}
	s.Close()
	w.change(func(c *Config) { c.Writers[1].Revoked = map[string]uint64{lane.String(): 1} })
	if s := w.begin(); len(s.RolledBack) > 0 {
		t.Errorf("rolled back: %q", s.RolledBack)
	}
	log := w.log()
	if log.Head(lane).Sequence != 1 || !slices.Equal(log.Ignored, []string{lane.record(2)}) || len(log.Problems) > 0 {
		t.Errorf("head %d, ignored %q, problems %v", log.Head(lane).Sequence, log.Ignored, log.Problems)
	}
	w.change(func(c *Config) { c.Writers[0].Revoked = map[string]uint64{} })
	_, err := w.host(w.store).Begin(t.Context())
	wantError(t, err, ErrUntrusted)
}

func TestAWriterThatIsRevokedDuringABackupIsToldSo(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	packs, refs := w.pack(s, "one")
	w.change(func(c *Config) { c.Writers[0].Revoked = map[string]uint64{} })
	_, err := s.Commit(t.Context(), content(packs, refs))
	wantError(t, err, ErrUntrusted)
	if log := w.log(); len(log.Records) > 0 || len(log.Ignored) != 1 {
		t.Errorf("%d records count, and %q are ignored", len(log.Records), log.Ignored)
	}
}

func TestAWriterCannotSignForAnotherNorACollectorForAny(t *testing.T) {
	w := newWorld(t)
	lane := Lane{"host", 0}
	for _, by := range []crypto.Signer{w.collector, w.owner, signer(t, "host"), signer(t, "other")} {
		for _, kind := range []Kind{Commit, Checkpoint, Tag, Forget} {
			fresh := *w
			fresh.store = w.store.Clone()
			fresh.sign(by, lane.record(1), clear{Kind: kind})
			if log := fresh.log(); len(log.Records) != 0 || len(log.Problems) != 1 {
				t.Errorf("a %s of host's signed by %s counts: %v", kind, by.Name(), log.Problems)
			}
			fresh.store = w.store.Clone()
			own := Lane{by.Name(), 0}
			fresh.sign(by, own.record(1), clear{Kind: kind})
			if log := fresh.log(); kind == Commit && len(log.Records) != 0 {
				t.Errorf("a commit of %s in its own lane counts", by.Name())
			}
		}
	}
	w.sign(w.owner, "log/owner.0/0000000001", clear{Kind: Forget})
	w.sign(w.collector, "log/collector.0/0000000001", clear{Kind: Forget})
	if n := len(w.log().Records); n != 2 {
		t.Errorf("%d records of owner and collector in their own lanes, want 2", n)
	}
	w.sound()
}

func TestAGapInALaneIsAProblem(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		s := w.begin()
		if _, err := s.Commit(t.Context(), content(w.pack(s, fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if err := w.store.Delete(t.Context(), "log/host.0/0000000002"); err != nil {
		t.Fatal(err)
	}
	if log := w.log(); len(log.Problems) != 1 || len(log.Records) != 2 {
		t.Errorf("%d records, problems %v", len(log.Records), log.Problems)
	}
}

func TestTheIndexOfAnotherTrustGroupIsNotUsed(t *testing.T) {
	w := newWorld(t)
	other := signer(t, "other")
	w.change(func(c *Config) {
		c.Writers = append(c.Writers, Member{Key: other.Verifier().Text(), Group: "theirs"})
	})
	mine := w.writer
	lying := *w.writer
	lying.Signer = other
	w.writer = &lying
	s := w.begin()
	p, refs := w.pack(s, "a lie")
	if _, err := s.Commit(t.Context(), content(p, refs)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	w.writer = mine
	x := w.reader().NewIndex()
	defer x.Close()
	if n, err := w.begin().LoadIndex(t.Context(), x); n != 0 || err != nil || chunks(t, x) != 0 {
		t.Errorf("loaded %d runs of another group: %v", n, err)
	}
	w.change(func(c *Config) { c.Writers[0].Group = "theirs" })
	if n, err := w.begin().LoadIndex(t.Context(), x); n != 1 || err != nil {
		t.Errorf("loaded %d runs of the same group, want 1: %v", n, err)
	}
	w.sound()
}

// watched counts what is read of index runs.
type watched struct {
	store.Store
	runs atomic.Int64
}

func (s *watched) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if strings.HasPrefix(name, "index/") {
		s.runs.Add(1)
	}
	return s.Store.Get(ctx, name, offset, length, dst)
}

func TestWhatASessionPublishesIsNotFetchedAgain(t *testing.T) {
	w := newWorld(t)
	watched := &watched{Store: w.store}
	s, err := w.host(watched).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := w.host(watched).NewIndex()
	defer x.Close()
	if _, err := s.LoadIndex(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	first, refs := w.pack(s, "first")
	x.Add(first)
	if err := s.Checkpoint(t.Context(), []archive.RunPack{first}, refs, nil); err != nil {
		t.Fatal(err)
	}
	last, refs := w.pack(s, "last")
	x.Add(last)
	if _, err := s.Commit(t.Context(), content(last, refs)); err != nil {
		t.Fatal(err)
	}
	again := w.host(watched).NewIndex()
	defer again.Close()
	if n, err := w.host(watched).LoadIndex(t.Context(), w.log(), again, nil); n != 2 || err != nil || chunks(t, again) != 2 {
		t.Errorf("loaded %d runs with %d chunks, %v, want 2 with 2", n, chunks(t, again), err)
	}
	if n := watched.runs.Load(); n != 0 {
		t.Errorf("%d index runs were read, want none", n)
	}
	w.sound()
}

func TestADamagedCacheIsReadAgainFromTheStore(t *testing.T) {
	w := newWorld(t)
	s := w.begin()
	if _, err := s.Commit(t.Context(), content(w.pack(s, "one"))); err != nil {
		t.Fatal(err)
	}
	s.Close()
	w.decide(w.collector, "sweep", 1)
	s = w.begin()
	s.Close()
	c := OpenCache(w.cache)
	for _, name := range slices.Sorted(maps.Keys(storeNames(t, w.store))) {
		if data, err := c.Read("objects/" + name); err == nil {
			if err := c.Write("objects/"+name, flip(data, len(data)/2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = w.begin()
	rounds, err := s.repo.ReadRounds(t.Context())
	if len(s.RolledBack) > 0 || len(s.Log.Problems) > 0 || err != nil || rounds.Next() != 2 {
		t.Errorf("rolled back %q, problems %v, rounds %v, %v", s.RolledBack, s.Log.Problems, rounds, err)
	}
	w.sound()
}

// chunks counts what x has.
func chunks(t *testing.T, x *index.Index) int {
	t.Helper()
	n, err := x.Len(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func storeNames(t *testing.T, s store.Store) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		names[info.Name] = true
	}
	return names
}

func get(t *testing.T, s store.Store, name string) []byte {
	t.Helper()
	data, err := s.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func flip(data []byte, at int) []byte {
	out := slices.Clone(data)
	out[at] ^= 1
	return out
}

package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/storetest"
	"github.com/packstone/packstone/crypto"
)

// decidingWorld is a world in which things may be forgotten.
func decidingWorld(t testing.TB) *world {
	w := newWorld(t)
	w.change(func(c *Config) { c.LetForget() })
	return w
}

// committed makes a snapshot.
func (w *world) committed(content string) (archive.Name, archive.RunPack) {
	w.t.Helper()
	s := w.begin()
	defer s.Close()
	pack, refs := w.pack(s, content)
	c := Content{Snapshot: snapshot(), Packs: one(pack), Refs: refs}
	c.Snapshot.Time = time.Now()
	c.Snapshot.Started = c.Snapshot.Time
	if _, err := s.Commit(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	return c.Snapshot.ID, pack
}

// deciding opens a session of the owner or the collector.
func (w *world) deciding(s store.Store, by crypto.Signer) (*Session, error) {
	return w.opened(s, Options{Keys: Keys{Writer: w.writer, Pins: Pins{Owners: w.identities().Owners}}, CacheDir: w.cache}).BeginDeciding(w.t.Context(), by)
}

// decides lets the owner or the collector write a record.
func (w *world) decides(by crypto.Signer, do func(ctx context.Context, s *Session) error) {
	w.t.Helper()
	s, err := w.deciding(w.store, by)
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	if err := do(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) forget(by crypto.Signer, ids ...archive.Name) {
	w.t.Helper()
	w.decides(by, func(ctx context.Context, s *Session) error { return s.Forget(ctx, ids) })
}

// listed are the snapshots that count, in the order of ids.
func (w *world) listed(ids ...archive.Name) (there []bool) {
	w.t.Helper()
	r := w.reader()
	snapshots, problems, err := r.ReadSnapshots(w.t.Context(), w.log())
	if err != nil || len(problems) > 0 {
		w.t.Fatal(err, problems)
	}
	for _, id := range ids {
		there = append(there, slices.ContainsFunc(snapshots, func(s *Snapshot) bool { return s.ID == id }))
	}
	return there
}

func TestAForgottenSnapshotCountsNoMoreAndComesBack(t *testing.T) {
	w := decidingWorld(t)
	a, _ := w.committed("a")
	b, _ := w.committed("b")
	for _, by := range []crypto.Signer{w.owner, w.collector} {
		w.forget(by, a)
		if got := w.listed(a, b); got[0] || !got[1] {
			t.Errorf("forgotten by %s: %v", by.Name(), got)
		}
		forgotten, problems, err := w.reader().ReadForgotten(t.Context(), w.log())
		if err != nil || len(problems) > 0 || len(forgotten) != 1 || forgotten[0].ID != a || forgotten[0].Gone.IsZero() {
			t.Errorf("forgotten: %v, %v, %v", forgotten, problems, err)
		}
		w.decides(by, func(ctx context.Context, s *Session) error { return s.Undelete(ctx, []archive.Name{a}) })
		if got := w.listed(a, b); !got[0] || !got[1] {
			t.Errorf("undeleted by %s: %v", by.Name(), got)
		}
	}
	w.sound()
}

func TestUndeletingTakesBackOnlyWhatItNames(t *testing.T) {
	w := decidingWorld(t)
	a, _ := w.committed("a")
	b, _ := w.committed("b")
	w.forget(w.owner, a, b)
	w.decides(w.owner, func(ctx context.Context, s *Session) error { return s.Undelete(ctx, []archive.Name{b}) })
	if got := w.listed(a, b); got[0] || !got[1] {
		t.Errorf("of two that one record forgot, one came back: %v", got)
	}
	w.forget(w.owner, b)
	if got := w.listed(b); got[0] {
		t.Error("what was undeleted cannot be forgotten again")
	}
	w.sound()
}

func TestAHoldOutweighsEveryForget(t *testing.T) {
	w := decidingWorld(t)
	a, _ := w.committed("a")
	hold := func(until time.Time) {
		w.decides(w.owner, func(ctx context.Context, s *Session) error { return s.Hold(ctx, []archive.Name{a}, "audit", until) })
	}
	hold(time.Time{})
	w.forget(w.collector, a)
	if !w.listed(a)[0] {
		t.Error("a held snapshot was forgotten")
	}
	all, err := w.reader().Snapshots(t.Context(), w.log())
	if err != nil || len(all[0].Held) != 1 || all[0].Held[0].Reason != "audit" || all[0].Held[0].By != "owner" {
		t.Errorf("held: %+v, %v", all[0].Held, err)
	}
	w.decides(w.collector, func(ctx context.Context, s *Session) error { return s.Unhold(ctx, []archive.Name{a}) })
	if w.listed(a)[0] {
		t.Error("it was forgotten, and is not held any more")
	}
	hold(time.Now().Add(-time.Hour))
	if w.listed(a)[0] {
		t.Error("a hold that has ended keeps it")
	}
	hold(time.Now().Add(time.Hour))
	if !w.listed(a)[0] {
		t.Error("a hold with an end does not keep it before")
	}
	w.sound()
}

func TestTheGraceBeginsWhenTheLastHoldHasEnded(t *testing.T) {
	w := decidingWorld(t)
	clock := time.Now()
	w.store.Now = func() time.Time { return clock }
	a, _ := w.committed("a")
	hold := func(until time.Time) {
		w.decides(w.owner, func(ctx context.Context, s *Session) error { return s.Hold(ctx, []archive.Name{a}, "", until) })
	}
	hold(time.Time{})
	w.forget(w.owner, a)
	clock = clock.Add(time.Hour)
	w.decides(w.owner, func(ctx context.Context, s *Session) error { return s.Unhold(ctx, []archive.Name{a}) })
	if gone := w.log().Fate(a).Gone(clock); !gone.Equal(clock) {
		t.Errorf("gone at %v, and was let go at %v", gone, clock)
	}
	until := time.Now().Add(48 * time.Hour).UTC()
	hold(until)
	fate := w.log().Fate(a)
	if gone := fate.Gone(until.Add(-time.Second)); !gone.IsZero() {
		t.Errorf("gone at %v while it is held", gone)
	}
	if gone := fate.Gone(until.Add(time.Hour)); !gone.Equal(until) {
		t.Errorf("gone at %v, and was held until %v", gone, until)
	}
}

func TestWhatAWriterForgetsOrHoldsCountsForNothingAndIsNamed(t *testing.T) {
	w := decidingWorld(t)
	a, _ := w.committed("a")
	w.forget(w.owner, a)
	forgotten := w.log().Fate(a).forgets[0].Hash.String()
	lane := Lane{"host", 7}
	previous := ""
	for i, c := range []clear{
		{Kind: Undelete, Subjects: []string{a.String()}, Cancels: []string{forgotten}},
		{Kind: Hold, Subjects: []string{a.String()}},
		{Kind: Forget, Subjects: []string{a.String()}},
		{Kind: Unhold, Subjects: []string{a.String()}},
	} {
		c.Previous = previous
		w.sign(w.writer.Signer, lane.record(uint64(i+1)), c)
		previous = w.log().Head(lane).Hash.String()
	}
	log := w.log()
	if w.listed(a)[0] || len(log.Powerless) != 4 || log.Powerless[0] != lane.record(1) {
		t.Errorf("listed %v, powerless %q", w.listed(a), log.Powerless)
	}
	w.sound()
}

func TestOfARevokedCollectorOnlyWhatItDecidedBeforeCounts(t *testing.T) {
	w := decidingWorld(t)
	a, _ := w.committed("a")
	b, _ := w.committed("b")
	w.forget(w.collector, a)
	w.forget(w.collector, b)
	w.change(func(c *Config) { c.Collectors[0].Revoked = map[string]uint64{"collector.0": 1} })
	if got := w.listed(a, b); got[0] || !got[1] {
		t.Errorf("listed %v, want the second alone", got)
	}
	_, err := w.deciding(w.store, w.collector)
	wantError(t, err, ErrUntrusted)
	_, err = w.deciding(w.store, signer(t, "stranger"))
	wantError(t, err, ErrUntrusted)
	_, err = w.deciding(w.store, w.writer.Signer)
	wantError(t, err, ErrUntrusted)
}

func TestNothingIsForgottenBeforeTheOwnerLets(t *testing.T) {
	w := newWorld(t)
	_, err := w.deciding(w.store, w.collector)
	wantError(t, err, ErrNotReady)
	wantError(t, w.reader().LetForget(t.Context(), w.collector), ErrNotReady)
	if err := w.reader().LetForget(t.Context(), w.owner); err != nil {
		t.Fatal(err)
	}
	if required := w.reader().Config.Required; !slices.Contains(required, "forget") {
		t.Errorf("required: %q", required)
	}
}

func TestItIsTooLateForWhatIsBeingCollected(t *testing.T) {
	for _, kind := range []string{"condemn", "sweep"} {
		w := decidingWorld(t)
		a, pack := w.committed("a")
		w.forget(w.owner, a)
		w.decide(w.collector, kind, 1, pack.Pack.Name)
		for name, do := range map[string]func(s *Session) error{
			"undelete": func(s *Session) error { return s.Undelete(t.Context(), []archive.Name{a}) },
			"hold":     func(s *Session) error { return s.Hold(t.Context(), []archive.Name{a}, "", time.Time{}) },
		} {
			s, err := w.deciding(w.store, w.owner)
			if err != nil {
				t.Fatal(err)
			}
			if err := do(s); err == nil {
				t.Errorf("%s after %s succeeded", name, kind)
			} else {
				wantError(t, err, ErrCollected)
			}
			s.Close()
		}
		if w.listed(a)[0] {
			t.Errorf("it came back after the %s", kind)
		}
		w.sound()
	}
}

func TestADecisionOpensItsSessionBeforeItReadsWhatIsCollected(t *testing.T) {
	w := decidingWorld(t)
	a, _ := w.committed("a")
	w.forget(w.owner, a)
	f := &storetest.Faulty{Store: w.store}
	s, err := w.deciding(f, w.owner)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Undelete(t.Context(), []archive.Name{a}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, call := range f.Calls() {
		if kind, _, _ := strings.Cut(call.Name, "/"); slices.Contains([]string{"sessions", "gc", "log"}, kind) && call.Op != storetest.Get {
			got = append(got, call.Op.String()+" "+kind)
		}
	}
	want := []string{"List log", "Put sessions", "List gc", "Put log"}
	if !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	w.sound()
}

func TestADecisionNeitherHappensTwiceNorByHalvesWhateverTheStoreDoes(t *testing.T) {
	base := decidingWorld(t)
	a, _ := base.committed("a")
	for _, lost := range []bool{false, true} {
		for n := 1; ; n++ {
			w := *base
			w.store, w.cache = base.store.Clone(), t.TempDir()
			f := &storetest.Faulty{Store: w.store}
			if lost {
				f.After = storetest.Nth(n, store.ErrUnreachable)
			} else {
				f.Before = storetest.Nth(n, store.ErrUnreachable)
			}
			err := func() error {
				r, err := Open(t.Context(), f, Options{Keys: Keys{Writer: w.writer}, CacheDir: w.cache})
				if err != nil {
					return err
				}
				s, err := r.BeginDeciding(t.Context(), w.owner)
				if err != nil {
					return err
				}
				defer s.Close()
				return s.Forget(t.Context(), []archive.Name{a})
			}()
			if forgotten := !w.listed(a)[0]; err == nil && !forgotten {
				t.Errorf("call %d: it succeeded, and the snapshot is there", n)
			}
			w.forget(w.owner, a)
			if w.listed(a)[0] {
				t.Errorf("call %d: after another try the snapshot is there", n)
			}
			w.sound()
			if n > len(f.Calls()) {
				break
			}
		}
	}
}

func TestTagsThatAWriterTakesAwayGoOnToKeep(t *testing.T) {
	w := decidingWorld(t)
	s := w.begin()
	pack, refs := w.pack(s, "a")
	c := Content{Snapshot: snapshot(), Packs: one(pack), Refs: refs}
	c.Snapshot.Tags = []string{"keep", "x"}
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = w.begin()
	c.Snapshot.Writer = "host"
	if err := s.SetTags(t.Context(), []*Snapshot{c.Snapshot}, []string{"more"}, []string{"keep"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	tags := func() ([]string, []string) {
		all, err := w.reader().Snapshots(t.Context(), w.log())
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Tags, all[0].Lasting
	}
	if shown, lasting := tags(); !slices.Equal(shown, []string{"more", "x"}) || !slices.Equal(lasting, []string{"keep", "more", "x"}) {
		t.Errorf("shown %q, lasting %q", shown, lasting)
	}
	w.decides(w.owner, func(ctx context.Context, s *Session) error {
		return s.SetTags(ctx, []*Snapshot{c.Snapshot}, nil, []string{"keep"})
	})
	if _, lasting := tags(); !slices.Equal(lasting, []string{"more", "x"}) {
		t.Errorf("the owner has taken it away: lasting %q", lasting)
	}
	w.sound()
}

func TestDatesAreNotedAndOutliveACopy(t *testing.T) {
	w := decidingWorld(t)
	b, _ := w.committed("b")
	w.store.Now = func() time.Time { return time.Now().Add(90 * 24 * time.Hour) } // a copy that keeps no dates
	a, _ := w.committed("a")
	w.forget(w.owner, a)
	if !w.log().Find(a).Undated {
		t.Error("a date that cannot be relied on was noted")
	}
	w.store.Now = func() time.Time { return time.Now().Add(1000 * 24 * time.Hour) }
	for info, err := range w.store.Clone().List(t.Context(), "log/", "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := w.store.Get(t.Context(), info.Name, 0, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.store.Set(info.Name, data)
	}
	rec := w.log().Find(b)
	if rec.Undated || time.Since(rec.Date).Abs() > time.Hour {
		t.Errorf("after a copy it is of %v, undated %v", rec.Date, rec.Undated)
	}
}

func TestTheStoragesTimeIsDoubtedWhereItCannotBe(t *testing.T) {
	w := decidingWorld(t)
	w.committed("a")
	for days, want := range map[int]error{0: nil, 13: nil, 15: ErrClock, 4000: ErrClock, -1: ErrClock} {
		s := w.store.Clone()
		s.Now = func() time.Time { return time.Now().Add(time.Duration(days) * 24 * time.Hour) }
		r := w.opened(s, Options{Keys: Keys{Identities: w.identities()}})
		now, err := r.Now(t.Context(), w.log())
		if want == nil && (err != nil || now.IsZero()) {
			t.Errorf("%d days: %v", days, err)
		} else if want != nil {
			wantError(t, err, want)
		}
		for info := range s.List(t.Context(), "probe/", "") {
			t.Errorf("%s was left", info.Name)
		}
	}
}

func TestWhatRetentionSeesWithoutAnIdentity(t *testing.T) {
	w := decidingWorld(t)
	var ids []string
	for i := range 3 {
		id, _ := w.committed(fmt.Sprint(i))
		ids = append(ids, id.String())
	}
	r := w.reader()
	log := w.log()
	snapshots, err := r.Snapshots(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	opened, closed := r.ForRetention(log, snapshots, GroupBy{}), r.ForRetention(log, nil, GroupBy{})
	if len(opened) != 3 || len(closed) != 3 {
		t.Fatalf("%d opened, %d closed", len(opened), len(closed))
	}
	for i := range closed {
		if !slices.Contains(ids, closed[i].ID) || closed[i].Group != closed[0].Group || opened[i].Group != opened[0].Group || !closed[i].Complete {
			t.Errorf("opened %+v, closed %+v", opened[i], closed[i])
		}
	}
}

func TestOfADecisionOfNobodyTheRoundIsPassedOver(t *testing.T) {
	w := decidingWorld(t)
	_, pack := w.committed("a")
	w.store.Set("gc/0000000001/condemn", []byte("nothing"))
	w.decide(w.owner, "condemn", 2, pack.Pack.Name)
	w.store.Set("gc/0000000002/sweep", []byte("nothing"))
	r := w.reader()
	rounds, err := r.ReadRounds(t.Context())
	if err != nil || rounds.Next() != 3 || len(rounds.Unfinished()) > 0 {
		t.Fatalf("next %d, unfinished %v, %v", rounds.Next(), rounds.Unfinished(), err)
	}
	_, _, err = r.PutSweep(t.Context(), w.owner, 2, PackSet{})
	wantError(t, err, ErrUntrusted)
	there, own, err := r.PutSweep(t.Context(), w.owner, 3, PackSet{pack.Pack.Name: true})
	if err != nil || !own || !there.Sweep {
		t.Errorf("%+v, %v, %v", there, own, err)
	}
	there, own, err = r.PutSweep(t.Context(), w.collector, 3, PackSet{})
	if err != nil || own || len(there.Swept) != 1 {
		t.Errorf("another's lies there: %+v, %v, %v", there, own, err)
	}
	_, err = r.PutCondemnation(t.Context(), w.writer.Signer, 4, PackSet{}, nil)
	wantError(t, err, ErrUntrusted)
}

func TestRecordsThatARevocationIgnoresHoldTheirPacksForTheGrace(t *testing.T) {
	w := decidingWorld(t)
	_, pack := w.committed("a")
	w.change(func(c *Config) { c.Writers[0].Revoked = map[string]uint64{} })
	r := w.reader()
	log, err := r.ReadWholeLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[int]bool{0: true, 6: true, 8: false} {
		term := Term{Now: time.Now().Add(time.Duration(day) * 24 * time.Hour), Grace: 7 * 24 * time.Hour}
		needed, err := r.NeededPacks(t.Context(), log, term)
		if err != nil || needed[pack.Pack.Name] != want {
			t.Errorf("day %d: needed %v, %v", day, needed[pack.Pack.Name], err)
		}
	}
}

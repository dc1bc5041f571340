package catalog

import (
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive/store/memory"
	"github.com/packstone/packstone/archive/store/storetest"
)

func (w *world) commitOne(text string) {
	w.t.Helper()
	s := w.begin()
	p, refs := w.pack(s, text)
	if _, err := s.Commit(w.t.Context(), content(p, refs)); err != nil {
		w.t.Fatal(err)
	}
	s.Close()
}

func TestALookServesTheFirstReadingOfTheLogAndNoOther(t *testing.T) {
	w := newWorld(t)
	w.commitOne("one")
	f := &storetest.Faulty{Store: w.store}
	look, err := LookAt(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	r := w.opened(f, Options{Keys: Keys{Identities: w.identities()}, Look: look})
	w.commitOne("two")
	lists := f.Count(storetest.List)
	first, err := r.ReadLog(t.Context())
	if err != nil || f.Count(storetest.List) != lists {
		t.Fatalf("%v; %d more lists, want none", err, f.Count(storetest.List)-lists)
	}
	second, err := r.ReadLog(t.Context())
	if err != nil || len(second.Records) != len(first.Records)+1 {
		t.Errorf("%v; %d records after %d, want one more", err, len(second.Records), len(first.Records))
	}
	w.sound()
}

func TestAnOldLookIsNotUsed(t *testing.T) {
	w := newWorld(t)
	look, err := LookAt(t.Context(), w.store)
	if err != nil {
		t.Fatal(err)
	}
	r := w.opened(w.store, Options{Keys: Keys{Identities: w.identities()}, Look: look})
	look.begun = look.begun.Add(-2 * lookLasts)
	w.commitOne("one")
	if log, err := r.ReadLog(t.Context()); err != nil || len(log.Records) != 1 {
		t.Errorf("%v; %d records, want the one that came after the look", err, len(log.Records))
	}
	w.sound()
}

func TestALookThatFailsIsToldWhenItIsNeeded(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("the listing is broken")
	f := &storetest.Faulty{Store: w.store, Before: func(op storetest.Op, name string) error {
		if op == storetest.List && name == "log/" {
			return broken
		}
		return nil
	}}
	look, err := LookAt(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	r := w.opened(f, Options{Keys: Keys{Identities: w.identities()}, Look: look})
	if _, err := r.ReadLog(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the listing", err)
	}
	if _, err := LookAt(t.Context(), memory.New()); !errors.Is(err, ErrNoRepository) {
		t.Errorf("where nothing is: got %v, want ErrNoRepository", err)
	}
	w.sound()
}

// TestADeadSessionIsKnownThoughTheNextWasNotOpened kills a run after it has kept its nonce, before
// it has ended the session of the one before.
func TestADeadSessionIsKnownThoughTheNextWasNotOpened(t *testing.T) {
	w := newWorld(t)
	dead := w.begin()
	dead.Close()
	killed := errors.New("killed")
	f := &storetest.Faulty{Store: w.store, Before: func(op storetest.Op, name string) error {
		if op == storetest.Put && name == dead.lane.record(dead.sequence) {
			return killed
		}
		return nil
	}}
	if _, err := w.host(f).Begin(t.Context()); !errors.Is(err, killed) {
		t.Fatalf("got %v, want that the tombstone fails", err)
	}
	s := w.begin()
	if s.lane != dead.lane || s.sequence != dead.sequence+1 {
		t.Errorf("went on at %s %d, the dead session was %s %d", s.lane, s.sequence, dead.lane, dead.sequence)
	}
	var open []string
	for info, err := range w.store.List(t.Context(), "sessions/", "") {
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, info.Name)
	}
	if !slices.Contains(open, s.lane.session(s.sequence)) {
		t.Errorf("the session is not among %v", open)
	}
	w.sound()
}

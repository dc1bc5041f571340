package catalog

import (
	"slices"
	"testing"
)

// TestAPastIsNeitherComparedNorRemembered reads an earlier state of a repository, and then the
// present one, of which the newest record has been lost.
func TestAPastIsNeitherComparedNorRemembered(t *testing.T) {
	w := newWorld(t)
	commit := func(name string) {
		s := w.begin()
		if _, err := s.Commit(t.Context(), content(w.pack(s, name))); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	memory := t.TempDir()
	lost := func(o Options) []string {
		t.Helper()
		o.Keys, o.Memory, o.CacheDir = Keys{Writer: w.writer}, memory, w.cache
		log, err := w.opened(w.store, o).ReadLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return log.RolledBack()
	}
	warn := func(text string) { t.Errorf("warned: %s", text) }
	commit("one")
	past := w.store.Clone()
	commit("two")
	present := w.store.Clone()
	if got := lost(Options{Warn: warn}); len(got) > 0 {
		t.Errorf("the present has lost %q", got)
	}
	w.store = past
	if got := lost(Options{Past: true, Bypass: true, Warn: warn}); len(got) > 0 {
		t.Errorf("the past is compared: %q lost", got)
	}
	if got := lost(Options{}); !slices.Equal(got, []string{"host.0"}) {
		t.Errorf("after the past was read, %q of a storage that was rolled back is lost, want host.0", got)
	}
	w.store = present
	if got := lost(Options{Warn: warn}); len(got) > 0 {
		t.Errorf("after the past was read, the present has lost %q", got)
	}
	w.sound()
}

// TestAPastLeavesNoMemory opens nothing but a past, so that there is no memory of the present either.
func TestAPastLeavesNoMemory(t *testing.T) {
	w := newWorld(t)
	memory := t.TempDir()
	r := w.opened(w.store, Options{Keys: Keys{Writer: w.writer}, Memory: memory, Past: true, Bypass: true})
	if _, err := r.ReadLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	if known := openMemories(Options{Memory: memory}, r.Format.Repository).known(); len(known) > 0 {
		t.Errorf("remembered: %v", known)
	}
	w.sound()
}

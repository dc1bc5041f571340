package catalog

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOpeningACacheRemovesWhatKilledProcessesHaveLeft has what a process leaves that is killed when
// it writes to the cache, and when it writes what it has seen at an address.
func TestOpeningACacheRemovesWhatKilledProcessesHaveLeft(t *testing.T) {
	w := newWorld(t)
	w.commitsOne("one")
	memory := t.TempDir()
	open := func() { w.opened(w.store, Options{Keys: Keys{Writer: w.writer}, CacheDir: w.cache, Memory: memory}) }
	open()
	old := time.Now().Add(-25 * time.Hour)
	left := map[string]bool{} // and whether it is removed
	for path, at := range map[string]time.Time{
		filepath.Join(w.cache, "tmp", ".tmp-a"):             old,
		filepath.Join(w.cache, ".tmp-pack-1"):               old,
		filepath.Join(w.cache, "index", ".tmp-2"):           old,
		filepath.Join(memory, "tmp", ".tmp-b"):              old,
		filepath.Join(w.cache, "tmp", ".tmp-young"):         time.Now(),
		filepath.Join(w.cache, "tmp", "of somebody else's"): old,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		left[path] = at.Equal(old) && filepath.Base(path)[0] == '.'
	}
	open()
	for path, removed := range left {
		if _, err := os.Lstat(path); os.IsNotExist(err) != removed {
			t.Errorf("%s: %v, want that it is removed: %v", path, err, removed)
		}
	}
	w.sound()
}

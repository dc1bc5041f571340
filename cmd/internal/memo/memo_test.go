package memo

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWhatIsRememberedIsRecalled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told.json")
	got := map[string]int{"before": 1}
	if err := Recall(path, &got); err != nil || got["before"] != 1 {
		t.Errorf("without a file: %v, %v", got, err)
	}
	if err := Remember(path, map[string]int{"a": 2}); err != nil {
		t.Fatal(err)
	}
	got = nil
	if err := Recall(path, &got); err != nil || got["a"] != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestADamagedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got map[string]int
	if err := Recall(path, &got); err == nil {
		t.Errorf("got %v of a damaged file", got)
	}
}

func TestTidyRemovesWhatKilledProcessesHaveLeft(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{".tmp-1": 25 * time.Hour, ".tmp-2": 0, "told.json": 25 * time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	Tidy(dir, now)
	Tidy(filepath.Join(dir, "missing"), now)
	left, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".tmp-*"))
	if len(left) != 1 || len(hidden) != 1 || filepath.Base(hidden[0]) != ".tmp-2" {
		t.Errorf("left %v and %v, %v: want told.json and .tmp-2", left, hidden, err)
	}
}

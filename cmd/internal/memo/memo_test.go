package memo

import (
	"os"
	"path/filepath"
	"testing"
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

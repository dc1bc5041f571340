package metrics

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/packstone/packstone/cmd/internal/health"
)

func TestHowManySnapshotsThereAreIsKnownUntilTheyAreCountedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts.json")
	c, err := OpenCounts(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, counted := range []map[string]int{{"a": 3, "b": 1, "c": 4}, {"a": 3, "b": 0}} { // of c it is not known any more
		if err := c.Replace("near", counted); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Replace("far", map[string]int{"a": 5}); err != nil {
		t.Fatal(err)
	}
	again, err := OpenCounts(path) // after the process has ended
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		set   string
		in    []string
		want  int
		known bool
	}{
		{"a", []string{"near"}, 3, true}, {"b", []string{"near"}, 0, true}, {"c", []string{"near", "far"}, 0, false},
		{"a", []string{"near", "far"}, 5, true}, {"unknown", []string{"near"}, 0, false}, {"a", nil, 0, false},
	} {
		s := health.Set{Name: test.set}
		again.Fill(&s, test.in)
		if s.Snapshots != test.want || s.Counted != test.known {
			t.Errorf("%s in %v: %d, %v, want %d, %v", test.set, test.in, s.Snapshots, s.Counted, test.want, test.known)
		}
	}
}

func TestAFileOfCountsThatSaysNothingIsReplaced(t *testing.T) {
	for _, text := range []string{"null", "{", ""} {
		path := filepath.Join(t.TempDir(), "counts.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _ := OpenCounts(path)
		if err := c.Replace("near", map[string]int{"a": 3}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

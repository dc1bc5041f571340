package metrics

import (
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
	for _, counted := range []map[string]int{{"a": 3, "b": 1}, {"b": 2}} {
		if err := c.Add("near", counted); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Add("far", map[string]int{"a": 5}); err != nil {
		t.Fatal(err)
	}
	again, err := OpenCounts(path) // after the process has ended
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		set  string
		in   []string
		want int
	}{{"a", []string{"near"}, 3}, {"b", []string{"near"}, 2}, {"a", []string{"near", "far"}, 5}, {"unknown", []string{"near"}, 0}, {"a", nil, 0}} {
		s := health.Set{Name: test.set}
		again.Fill(&s, test.in)
		if s.Snapshots != test.want {
			t.Errorf("%s in %v: %d, want %d", test.set, test.in, s.Snapshots, test.want)
		}
	}
}

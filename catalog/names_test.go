package catalog

import (
	"errors"
	"strings"
	"testing"
)

func TestASnapshotIsRefusedByTheNamesOfItsSources(t *testing.T) {
	for _, name := range []string{"../../x", "..", ".", "", "a/b", "/etc", "//", "a\x00b", ".hidden", "-rf", "a b", "é", "a\n", strings.Repeat("a", 65)} {
		s := &Snapshot{Sources: []SourceState{{Name: "good"}, {Name: name}}}
		if got, err := Select([]*Snapshot{s}, "latest", Filter{}); !errors.Is(err, ErrNames) {
			t.Errorf("a source %q: got %v, %v, want ErrNames", name, got, err)
		}
		if err := s.CheckNames(); !errors.Is(err, ErrNames) {
			t.Errorf("a source %q by the snapshot's id: got %v, want ErrNames", name, err)
		}
	}
	for _, path := range []string{"etc", "", "/a/../b", "/a/", "//a", "/a/./b", "/a\x00"} {
		s := &Snapshot{Sources: []SourceState{{Name: PathsName, Paths: []string{"/good", path}}}}
		if err := s.CheckNames(); !errors.Is(err, ErrNames) {
			t.Errorf("a path %q: got %v, want ErrNames", path, err)
		}
	}
	twice := &Snapshot{Sources: []SourceState{{Name: "a"}, {Name: "a"}}}
	if err := twice.CheckNames(); !errors.Is(err, ErrNames) {
		t.Errorf("one name twice: got %v, want ErrNames", err)
	}
	good := &Snapshot{Sources: []SourceState{{Name: PathsName, Paths: []string{"/", "/srv/data"}}, {Name: "a"}, {Name: "b.sqlite-2_x"}, {Name: strings.Repeat("a", 64)}}}
	if err := good.CheckNames(); err != nil {
		t.Errorf("good names: got %v", err)
	}
}

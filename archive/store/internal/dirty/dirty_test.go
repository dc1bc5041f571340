package dirty

import (
	"maps"
	"slices"
	"testing"
)

func TestParentsAreFlushedUntilTheyAreKnown(t *testing.T) {
	var s Set
	take := func(want ...string) {
		t.Helper()
		if got := slices.Sorted(maps.Keys(s.Take())); !slices.Equal(got, want) {
			t.Errorf("took %q, want %q", got, want)
		}
	}
	take()
	s.Mark("packs/ab")
	take(".", "packs", "packs/ab")
	s.Mark("packs/ab")
	take("packs/ab")
	s.Mark("packs/cd")
	take("packs", "packs/cd")
	s.Made("packs/ab")
	s.Mark("packs/ab")
	taken := s.Take()
	s.Mark("log")
	s.GiveBack(taken)
	take(".", "log", "packs", "packs/ab")
}

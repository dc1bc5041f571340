package browse

import (
	"testing"

	"github.com/packstone/packstone/archive"
)

func TestPatternsMatchNamesEndsAndWholePaths(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"*.txt", "a/b.txt", true},
		{"*.txt", "b.txt", true},
		{"*.txt", "a.txt/b", false},
		{"b", "a/bb", false},
		{"a/*.txt", "x/a/b.txt", true},
		{"a/*.txt", "a/b.txt", true},
		{"a/*.txt", "x/aa/b.txt", false},
		{"a/b/c", "b/c", false},
		{"/a/*", "a/b", true},
		{"/a/*", "x/a/b", false},
		{"/*", "a", true},
		{"*", "", true},
		{"[ab]?", "x/bc", true},
	} {
		if got := patternMatches(test.pattern, test.path); got != test.want {
			t.Errorf("%s and %s: got %v, want %v", test.pattern, test.path, got, test.want)
		}
	}
}

func TestAFrameIsStoredInProportionToItsChunks(t *testing.T) {
	d := &archive.Directory{
		Frames:  []archive.Frame{{Stored: 100, Chunks: 2}, {Stored: 30, Chunks: 1}, {Stored: 9, Chunks: 1}},
		Lengths: []uint32{300, 100, 60, 0},
	}
	for _, test := range []struct {
		chunks      archive.Bitmap
		raw, stored uint64
	}{
		{nil, 0, 0}, {archive.Bitmap{0b1}, 300, 75}, {archive.Bitmap{0b111}, 460, 130}, {archive.Bitmap{0b1010}, 100, 25},
	} {
		if raw, stored := weigh(d, test.chunks); raw != test.raw || stored != test.stored {
			t.Errorf("%b: got %d, %d, want %d, %d", test.chunks, raw, stored, test.raw, test.stored)
		}
	}
}

// FuzzQueries compares what is looked for quickly with what matches.
func FuzzQueries(f *testing.F) {
	for _, seed := range []struct {
		pattern, path string
		anyCase       bool
	}{{"*.log", "var/a.log", false}, {"/var/*", "var/a", false}, {"VAR/a*", "x/var/ab", true}, {"straße", "STRASSE", true}, {"[kK]", "\u212a", true}, {`\*`, "*", false}} {
		f.Add(seed.pattern, seed.path, seed.anyCase)
	}
	f.Fuzz(func(t *testing.T, text, path string, anyCase bool) {
		m, err := Query{Patterns: []string{text}, AnyCase: anyCase}.matcher()
		if err != nil {
			return
		}
		if p := m.patterns[0]; patternMatches(p.compiled, path) && !contains(path, p.literal) {
			t.Errorf("%q matches %q, and %q is looked for in it", text, path, p.literal)
		}
	})
}

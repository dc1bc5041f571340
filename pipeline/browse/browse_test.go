package browse

import (
	"context"
	"fmt"
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

func TestPagesAreLoadedOnceWhileTheyAreRecent(t *testing.T) {
	var r recentPages
	loaded := 0
	load := r.load(func(_ context.Context, want []archive.Chunk, each func(int, []byte) error) error {
		for i, c := range want {
			loaded++
			if err := each(i, append(make([]byte, 1<<20), c.ID[0])); err != nil {
				return err
			}
		}
		return nil
	})
	ask := func(ids ...byte) {
		t.Helper()
		want := make([]archive.Chunk, len(ids))
		for i, id := range ids {
			want[i].ID[0] = id
		}
		came := map[byte]bool{}
		err := load(t.Context(), want, func(i int, page []byte) error {
			if got := page[len(page)-1]; got != ids[i] || came[got] {
				return fmt.Errorf("page %d came as %d", ids[i], got)
			}
			came[ids[i]] = true
			return nil
		})
		if err != nil || len(came) != len(ids) {
			t.Fatalf("%v: %d pages came, %v", ids, len(came), err)
		}
	}
	ask(1, 2)
	ask(2, 3, 1)
	if loaded != 3 {
		t.Errorf("loaded %d pages, want 3", loaded)
	}
	for id := byte(10); id < 200; id++ {
		ask(1, id) // 1 stays, as it is asked for
	}
	if held := len(r.young) + len(r.old); loaded != 193 || held > 2*(youngPages>>20+2) {
		t.Errorf("loaded %d pages and holds %d, want 193 and at most %d", loaded, held, 2*(youngPages>>20+2))
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

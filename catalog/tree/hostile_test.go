package tree

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// forger makes pages that no writer of ours would make.
type forger struct {
	*depot
	t *testing.T
}

func (f *forger) page(b *builder) archive.Chunk {
	f.t.Helper()
	var out bytes.Buffer
	if err := b.encode(&out); err != nil {
		f.t.Fatal(err)
	}
	id := f.id(out.Bytes())
	f.pages[id] = out.Bytes()
	return archive.Chunk{ID: id, Length: uint32(out.Len()), Place: archive.Place{Pack: dataPack(1), Stored: 9000}}
}

// leaf is a page of files.
func (f *forger) leaf(paths ...string) archive.Chunk {
	b := newBuilder(0)
	for _, path := range paths {
		b.add(&row{node: &Node{Entry: entry.Entry{Path: path, Type: entry.File}}})
	}
	return f.page(b)
}

// index is a page of pages.
func (f *forger) index(height uint8, refs ...ref) archive.Chunk {
	b := newBuilder(height)
	for i := range refs {
		b.addRef(&refs[i], nil)
	}
	return f.page(b)
}

func (f *forger) tree(top archive.Chunk, height uint8) *Tree {
	return f.depot.tree(Root{Runs: []Run{{Top: top, Height: height, Entries: 1}}, Entries: 1})
}

func newForger(t *testing.T) *forger { return &forger{newDepot(), t} }

// readEverything is the first error of all ways to read a tree.
func readEverything(t *testing.T, tree *Tree, path string) error {
	t.Helper()
	for _, err := range tree.All(t.Context(), "") {
		if err != nil {
			return err
		}
	}
	for _, err := range tree.Pages(t.Context()) {
		if err != nil {
			return err
		}
	}
	for _, err := range tree.PageChunks(t.Context()) {
		if err != nil {
			return err
		}
	}
	_, err := tree.Lookup(t.Context(), path)
	return err
}

func TestAPageStandsOnlyWhereItBelongs(t *testing.T) {
	f := newForger(t)
	ab, cd := f.leaf("a", "b"), f.leaf("c", "d")
	for _, c := range []struct {
		name string
		tree *Tree
		good bool
	}{
		{"right", f.tree(f.index(1, ref{first: "a", chunk: ab}, ref{first: "c", chunk: cd}), 1), true},
		{"begins before its row", f.tree(f.index(1, ref{first: "b", chunk: ab}, ref{first: "c", chunk: cd}), 1), false},
		{"begins after its row", f.tree(f.index(1, ref{first: "", chunk: ab}, ref{first: "c", chunk: cd}), 1), false},
		{"reaches over the next", f.tree(f.index(1, ref{first: "a", chunk: f.leaf("a", "c")}, ref{first: "c", chunk: cd}), 1), false},
		{"the same twice", f.tree(f.index(1, ref{first: "a", chunk: ab}, ref{first: "a", resumes: true, chunk: ab}), 1), false},
		{"reaches over its parent's neighbour", f.tree(f.index(2,
			ref{first: "a", chunk: f.index(1, ref{first: "a", chunk: f.leaf("a", "c")})},
			ref{first: "c", chunk: f.index(1, ref{first: "c", chunk: cd})}), 2), false},
	} {
		err := readEverything(t, c.tree, "a")
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestAGraphOfPagesIsWalkedInTimeLinearInItsPages makes pages of which each names the one below
// many times: 100^20 ways lead through them.
func TestAGraphOfPagesIsWalkedInTimeLinearInItsPages(t *testing.T) {
	const height, wide = 20, 100
	f := newForger(t)
	long := &Node{Entry: entry.Entry{Path: "a", Type: entry.File}}
	chunks := []archive.Chunk{{ID: archive.ID{1}, Length: 1}}
	leaf := newBuilder(0)
	leaf.add(&row{node: long, flags: rowResumes | rowMore, chunks: chunks})
	first := newBuilder(0)
	first.add(&row{node: long, flags: rowMore, chunks: chunks})
	below, begin := f.page(leaf), f.page(first)
	for h := uint8(1); h <= height; h++ {
		refs := make([]ref, wide)
		for i := range refs {
			refs[i] = ref{first: "a", resumes: true, chunk: below}
		}
		all := f.index(h, refs...)
		refs[0] = ref{first: "a", chunk: begin}
		begin, below = f.index(h, refs...), all
	}
	tree := f.tree(begin, height)
	pages := 0
	for _, err := range tree.PageChunks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		pages++
	}
	if most := 2 * height * wide; pages > most {
		t.Errorf("walked %d pages, want %d at most", pages, most)
	}
}

func TestARowThatGoesOnWithNothingIsRefused(t *testing.T) {
	f := newForger(t)
	n := &Node{Entry: entry.Entry{Path: "a", Type: entry.File}}
	b := newBuilder(0)
	b.add(&row{node: n, flags: rowMore})
	b.add(&row{node: n, flags: rowResumes})
	if err := readEverything(t, f.tree(f.page(b), 0), "a"); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want %v", err, ErrFormat)
	}
}

func TestTheSizeOfAFileIsThatOfItsChunks(t *testing.T) {
	chunk := func(n uint32) archive.Chunk { return archive.Chunk{ID: archive.ID{1}, Length: n} }
	extent := func(offset, length int64) []entry.Extent { return []entry.Extent{{Offset: offset, Length: length}} }
	for _, c := range []struct {
		name string
		node Node
		good bool
	}{
		{"empty", Node{Entry: entry.Entry{Type: entry.File}}, true},
		{"one chunk", Node{Entry: entry.Entry{Type: entry.File, Size: 5}, Chunks: []archive.Chunk{chunk(5)}}, true},
		{"a hole", Node{Entry: entry.Entry{Type: entry.File, Size: 9, Extents: extent(4, 5)}, Chunks: []archive.Chunk{{Length: 4}, chunk(5)}}, true},
		{"a directory", Node{Entry: entry.Entry{Type: entry.Directory, Size: 4096}}, true},
		{"a mark", Node{Entry: entry.Entry{Type: entry.File, Size: 7, Unknown: entry.Unreadable}}, true},
		{"no chunks", Node{Entry: entry.Entry{Type: entry.File, Size: 5}}, false},
		{"too few", Node{Entry: entry.Entry{Type: entry.File, Size: 6}, Chunks: []archive.Chunk{chunk(5)}}, false},
		{"too many", Node{Entry: entry.Entry{Type: entry.File, Size: 4}, Chunks: []archive.Chunk{chunk(5)}}, false},
		{"below zero", Node{Entry: entry.Entry{Type: entry.File, Size: -1}}, false},
		{"data beyond the end", Node{Entry: entry.Entry{Type: entry.File, Size: 5, Extents: extent(3, 3)}, Chunks: []archive.Chunk{chunk(5)}}, false},
		{"data before the beginning", Node{Entry: entry.Entry{Type: entry.File, Size: 5, Extents: extent(-1, 3)}, Chunks: []archive.Chunk{chunk(5)}}, false},
	} {
		if err := c.node.CheckContent(); (err == nil) != c.good || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestAPathThatLeadsElsewhereIsRefused(t *testing.T) {
	for _, paths := range [][]string{
		{"../x"}, {".."}, {"."}, {"a/../b"}, {"a/.."}, {"a/."}, {"./a"}, {"/a"}, {"a//b"}, {"a/"}, {"a\x00"}, {"a/b\x00c"},
		{"a/.", "a/..", "a/b"}, {"a/.a", "a/.."}, {"", "/"}, {"a/..x", "a/../x"},
	} {
		f := &forger{depot: newDepot(), t: t}
		leaf := f.leaf(paths...)
		root := Root{Runs: []Run{{Top: leaf, Entries: uint64(len(paths))}}, Entries: uint64(len(paths))}
		for _, err := range Open(root, f.load, OpenOptions{}).All(t.Context(), "") {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%q: got %v, want ErrFormat", paths, err)
			}
			break
		}
	}
	f := &forger{depot: newDepot(), t: t}
	good := []string{"", "a", "a/..b", "a/...", "a/.b", "a/b..", "a..", "..a"}
	slices.SortFunc(good, entry.ComparePaths)
	root := Root{Runs: []Run{{Top: f.leaf(good...), Entries: uint64(len(good))}}, Entries: uint64(len(good))}
	if got := collect(t, Open(root, f.load, OpenOptions{}).All(t.Context(), "")); !slices.Equal(got, good) {
		t.Errorf("good paths: got %q, want %q", got, good)
	}
}

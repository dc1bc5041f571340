package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// layered is a tree of a base and deltas with what it holds.
func layered(t *testing.T, seed uint64, n int) (content, *Tree, *depot) {
	t.Helper()
	r := rand.New(rand.NewPCG(4, seed))
	d := newDepot()
	c := randomTree(r, n)
	tree := d.tree(c.mustWrite(t, nil, d.options()))
	for _, rate := range []int{30, 400} {
		c = c.edit(r, rate)
		tree = d.tree(c.mustWrite(t, tree, d.options()))
	}
	if len(tree.Root().Runs) != 3 {
		t.Fatalf("%d runs, want 3", len(tree.Root().Runs))
	}
	return c, tree, d
}

func TestLookupFindsEveryNodeWithFewPages(t *testing.T) {
	c, tree, d := layered(t, 0, 8000)
	most := 0
	for i, path := range c.paths() {
		if i%7 != 0 && len(c[path].Chunks) < rowChunks {
			continue
		}
		before := d.loaded
		n, err := tree.Lookup(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if !equal(n, c[path]) {
			t.Fatalf("got %+v, want %+v", n, c[path])
		}
		if len(n.Chunks) <= rowChunks && len(n.Extents) <= rowExtents {
			most = max(most, d.loaded-before)
		}
		for _, other := range []string{path + "\x00", path + "/x", path[:len(path)-1]} {
			if n, err := tree.Lookup(t.Context(), other); c[other] == nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("look up %q: %v, %v, want fs.ErrNotExist", other, n, err)
			}
		}
	}
	if most > 6 {
		t.Errorf("a look-up loaded %d pages", most)
	}
}

func TestBelowAndListAgreeWithAllPaths(t *testing.T) {
	c, tree, _ := layered(t, 1, 4000)
	dirs := map[string]bool{"": true, "none": true, "usr/lib/a/a/f1": true}
	for path := range c {
		for i := range path {
			if path[i] == '/' {
				dirs[path[:i]] = true
			}
		}
	}
	paths := c.paths()
	for dir := range dirs {
		if len(dir) > 60 {
			continue
		}
		var under, listed []string
		for _, path := range paths {
			if path != dir && !below(dir, path) {
				continue
			}
			under = append(under, path)
			if path == dir {
				continue
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(path[len(dir):], "/"), "/")
			child := strings.TrimPrefix(dir+"/"+name, "/")
			if len(listed) == 0 || listed[len(listed)-1] != child {
				listed = append(listed, child)
			}
		}
		if got := collect(t, tree.Below(t.Context(), dir)); !slices.Equal(got, under) {
			t.Fatalf("below %q: got %q, want %q", dir, got, under)
		}
		if got := collect(t, tree.List(t.Context(), dir)); !slices.Equal(got, listed) {
			t.Fatalf("list of %q: got %q, want %q", dir, got, listed)
		}
	}
}

func collect(t *testing.T, nodes func(func(*Node, error) bool)) (paths []string) {
	t.Helper()
	for n, err := range nodes {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, n.Path)
	}
	return paths
}

func TestListGivesDirectoriesThatHaveNoNode(t *testing.T) {
	d := newDepot()
	c := content{}
	for _, path := range []string{"a", "a/b/c", "a.d/e", "x/y/z", "x/y0"} {
		c[path] = &Node{Entry: entry.Entry{Path: path, Type: entry.Fifo}}
	}
	tree := d.tree(c.mustWrite(t, nil, d.options()))
	want := map[string]string{"": "a:4 a.d:2 x:2", "a": "a/b:2", "x": "x/y:2 x/y0:4", "x/y": "x/y/z:4", "x/y/z": ""}
	for dir, list := range want {
		var got []string
		for n, err := range tree.List(t.Context(), dir) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s:%d", n.Path, n.Type))
		}
		if strings.Join(got, " ") != list {
			t.Errorf("list of %q: %q, want %q", dir, got, list)
		}
	}
}

func TestAllStartsAnywhere(t *testing.T) {
	c, tree, _ := layered(t, 2, 3000)
	paths := c.paths()
	for i := 0; i < len(paths); i += 97 {
		from := paths[i] + "\x00"
		n := 0
		for node, err := range tree.All(t.Context(), from) {
			if err != nil {
				t.Fatal(err)
			}
			if k := slices.IndexFunc(paths, func(p string) bool { return compare(p, from) >= 0 }); node.Path != paths[k] {
				t.Fatalf("from %q: %q, want %q", from, node.Path, paths[k])
			}
			n++
			break
		}
		if n == 0 && compare(paths[len(paths)-1], from) >= 0 {
			t.Fatalf("from %q: nothing", from)
		}
	}
}

func TestPagesAreAllOfThemWithTheirPacks(t *testing.T) {
	c, tree, d := layered(t, 3, 5000)
	seen := make(map[archive.ID]bool)
	packs := make(map[archive.Name]bool)
	var chunks []Page
	for page, err := range tree.PageChunks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, page)
	}
	i := 0
	for page, err := range tree.Pages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if chunks[i].Chunk.ID != page.Chunk.ID || chunks[i].Height != page.Height || page.Chunk.Place.Pack == nil {
			t.Fatalf("page %d is %+v with packs, %+v without", i, page, chunks[i])
		}
		i++
		seen[page.Chunk.ID] = true
		for _, pack := range page.Packs {
			packs[pack.Name] = true
		}
	}
	if len(seen) != len(chunks) || len(seen) > len(d.pages) || len(seen) < 20 {
		t.Errorf("%d pages", len(seen))
	}
	for _, n := range c {
		for _, chunk := range n.Chunks {
			if !packs[chunk.Place.Pack.Name] {
				t.Fatalf("pack %s is in no table", chunk.Place.Pack.Name)
			}
		}
	}
}

func TestFailuresOfLoadingAreReported(t *testing.T) {
	_, tree, d := layered(t, 4, 4000)
	gone := errors.New("store is gone")
	for after := range 12 {
		var left atomic.Int64
		left.Store(int64(after))
		failing := Open(tree.Root(), func(ctx context.Context, want []archive.Chunk, each func(int, []byte) error) error {
			if left.Add(-1) < 0 {
				return gone
			}
			return d.load(ctx, want, each)
		}, OpenOptions{})
		var got error
		for _, err := range failing.All(t.Context(), "") {
			got = err
		}
		if left.Load() < 0 && !errors.Is(got, gone) {
			t.Errorf("load %d fails: %v, want %v", after, got, gone)
		}
	}
}

func TestACancelledIterationEndsWithAnError(t *testing.T) {
	_, tree, _ := layered(t, 5, 20000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got error
	for _, err := range tree.All(ctx, "") {
		cancel()
		got = err
	}
	if !errors.Is(got, context.Canceled) {
		t.Errorf("%v, want context.Canceled", got)
	}
}

func TestALoaderThatLeavesPagesOutIsAnError(t *testing.T) {
	_, tree, d := layered(t, 6, 3000)
	lossy := Open(tree.Root(), func(ctx context.Context, want []archive.Chunk, each func(int, []byte) error) error {
		return d.load(ctx, want[:len(want)-1], each)
	}, OpenOptions{})
	for _, err := range lossy.All(t.Context(), "") {
		if err == nil {
			t.Fatal("no error")
		}
	}
}

func TestCompareIsThatOfEntries(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	alphabet := "/ab\x00\xff.-"
	word := func() string {
		b := make([]byte, r.IntN(24))
		for i := range b {
			b[i] = alphabet[r.IntN(3)]
			if r.IntN(5) == 0 {
				b[i] = alphabet[r.IntN(len(alphabet))]
			}
		}
		return string(b)
	}
	for range 20000 {
		a, b := word(), word()
		if r.IntN(2) == 0 {
			b = a[:len(a)/2] + b
		}
		if got, want := compare(a, b), entry.ComparePaths(a, b); got != want {
			t.Fatalf("compare %q, %q: %d, want %d", a, b, got, want)
		}
	}
}

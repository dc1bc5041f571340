package tree

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

func TestPagesWaitForPlacesAndComeOutTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 0))
	c := randomTree(r, 4000)
	d := newDepot()
	want := c.mustWrite(t, nil, d.options())

	d = newDepot()
	w := NewWriter(nil, d.options())
	type open struct {
		slot  *archive.Slot
		place archive.Place
	}
	var slots []open
	for _, path := range c.paths() {
		n := c[path].Clone()
		var pending []*archive.Slot
		for i, chunk := range n.Chunks {
			if r.IntN(3) == 0 {
				continue
			}
			pending = append(pending, make([]*archive.Slot, i+1-len(pending))...)
			pending[i] = archive.NewSlot(chunk.ID, int(chunk.Length))
			slots = append(slots, open{pending[i], chunk.Place})
			n.Chunks[i] = archive.Chunk{}
		}
		if err := w.Add(t.Context(), n, pending, Step{}); err != nil {
			t.Fatal(err)
		}
		*n = Node{} // not kept
	}
	early := d.stored
	if _, err := w.Finish(t.Context()); !errors.Is(err, ErrPending) {
		t.Fatalf("finish without places: %v, want ErrPending", err)
	}
	for i, k := range r.Perm(len(slots)) {
		slots[k].slot.Seal(slots[k].place)
		if i%100 == 0 {
			if err := w.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d.stored <= early {
		t.Error("no page was stored when its chunks were placed")
	}
	root, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, d.tree(root))
	for i := range want.Runs {
		if want.Runs[i].Height == 0 && root.Runs[i].Top.ID != want.Runs[i].Top.ID {
			t.Errorf("top %s, want %s", root.Runs[i].Top.ID, want.Runs[i].Top.ID)
		}
	}
}

// firsts are the first paths of a tree's pages of nodes.
func firsts(t *testing.T, tree *Tree) (list []string) {
	t.Helper()
	for i := range tree.root.Runs {
		err := tree.leaves(t.Context(), &tree.root.Runs[i], "", func(r *ref) error {
			list = append(list, r.first)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// plain is n files of one chunk each.
func plain(r *rand.Rand, n int) content {
	c := make(content)
	for i := range n {
		path := fmt.Sprintf("dir%03d/file%05d", i/97, i)
		c[path] = &Node{Entry: entry.Entry{Path: path, Type: entry.File, Size: r.Int64N(1e6), ModTime: entry.NanoTime(r.Int64N(1e18))}, Chunks: []archive.Chunk{randomChunk(r)}}
	}
	return c
}

func TestPagesEndWherePathsSay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	d := newDepot()
	c := plain(r, 20000)
	before := firsts(t, d.tree(c.mustWrite(t, nil, d.options())))
	if n := len(before); n < 50 || n > 120 {
		t.Errorf("%d pages of 20000 nodes, want about 80", n)
	}
	other := firsts(t, d.tree(plain(r, 20000).mustWrite(t, nil, d.options())))
	if !slices.Equal(before, other) {
		t.Error("other contents moved the ends of pages")
	}
	path := "dir100/file09700+"
	c[path] = &Node{Entry: entry.Entry{Path: path, Type: entry.File}}
	moved := 0
	for _, first := range firsts(t, d.tree(c.mustWrite(t, nil, d.options()))) {
		if !slices.Contains(before, first) {
			moved++
		}
	}
	if moved > 1 {
		t.Errorf("one more path moved %d pages", moved)
	}
}

func TestTheBoundaryHashIsSipHash(t *testing.T) {
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	k := newPageKey(key)
	text := make([]byte, 15)
	for i := range text {
		text[i] = byte(i)
	}
	// From the paper that defines SipHash.
	if got := k.hash(0, string(text)); got != 0xa129ca6149be45e5 {
		t.Errorf("%x", got)
	}
}

func TestNoPageIsLargeWhateverThePaths(t *testing.T) {
	d := newDepot()
	c := make(content)
	name := strings.Repeat("n", 200)
	key := newPageKey(testKey)
	for i := 0; len(c) < 6000; i++ { // only paths at which no page ends
		path := fmt.Sprintf("%s%08d", name, i)
		if !key.ends(0, path, rowWeight) {
			c[path] = &Node{Entry: entry.Entry{Path: path, Type: entry.File, Inode: uint64(i) << 30, Device: uint64(i)}}
		}
	}
	long := strings.Repeat("p", maxPath-1)
	for i := range 5 {
		path := fmt.Sprintf("%s%d", long, i)
		c[path] = &Node{Entry: entry.Entry{Path: path, Type: entry.File, Xattrs: []entry.Attribute{{Name: "x", Value: make([]byte, maxOwn-100)}}}}
	}
	tree := d.tree(c.mustWrite(t, nil, d.options()))
	c.check(t, tree)
	for _, page := range d.pages {
		if len(page) > maxPage/2 {
			t.Errorf("page of %d bytes", len(page))
		}
	}
	for _, n := range []*Node{
		{Entry: entry.Entry{Path: long + "123"}},
		{Entry: entry.Entry{Path: "z", Target: strings.Repeat("t", maxOwn+1)}},
	} {
		if err := NewWriter(nil, d.options()).Add(t.Context(), n, nil, Step{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("path of %d bytes, target of %d: %v, want ErrTooLarge", len(n.Path), len(n.Target), err)
		}
	}
}

func TestAnEditInALargeFileTouchesFewPages(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	d := newDepot()
	c := plain(r, 500)
	big := &Node{Entry: entry.Entry{Path: "dir002/image", Type: entry.File, Size: 1 << 40}}
	for range 30000 {
		big.Chunks = append(big.Chunks, randomChunk(r))
	}
	c[big.Path] = big
	old := d.tree(c.mustWrite(t, nil, d.options()))
	c.check(t, old)
	stored := d.stored

	edited := big.Clone()
	edited.Chunks = slices.Insert(edited.Chunks, 15000, randomChunk(r))
	after := content{}
	for path, n := range c {
		after[path] = n
	}
	after[big.Path] = edited
	// All pages are written; those that are the same have the same id.
	now := d.tree(after.mustWrite(t, nil, d.options()))
	after.check(t, now)
	if pages := len(d.pages) - stored; pages > 8 {
		t.Errorf("%d new pages of %d", pages, stored)
	}
	checkDiff(t, c, after, old, now)
	n, err := now.Lookup(t.Context(), big.Path)
	if err != nil || !equal(n, edited) {
		t.Fatalf("look up the large file: %d chunks, %v", len(n.Chunks), err)
	}
	// On top of the old tree, the pages of the file are taken over but for a few as well.
	d.stored = 0
	again := d.tree(after.mustWrite(t, old, d.options()))
	after.check(t, again)
}

func TestFoldingTakesUntouchedPagesOver(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 0))
	d := newDepot()
	c := plain(r, 20000)
	tree := d.tree(c.mustWrite(t, nil, d.options()))
	d.loaded = 0
	for _, path := range c.paths()[:4000] { // a fifth of the tree, all in one place
		n := c[path].Clone()
		n.ModTime.Seconds++
		c[path] = n
	}
	d.stored = 0
	now := d.tree(c.mustWrite(t, tree, d.options()))
	if len(now.Root().Runs) != 1 {
		t.Fatalf("%d runs, want 1", len(now.Root().Runs))
	}
	c.check(t, now)
	if d.stored > 30 {
		t.Errorf("stored %d pages for a fifth of 80", d.stored)
	}
}

func TestWhatIsPassedOverIsDeleted(t *testing.T) {
	for _, hold := range []int64{0, 1} {
		r := rand.New(rand.NewPCG(10, 0))
		d := newDepot()
		opts := d.options()
		opts.Hold = hold
		c := plain(r, 20000)
		tree := d.tree(c.mustWrite(t, nil, opts))
		w := NewWriter(tree, opts)
		g := tree.Merge()
		defer g.Close()
		for i, path := range c.paths() {
			switch {
			case i < 3, i >= 5000 && i < 5001+stepGone, i >= 9000 && i < 9500, i > 19900: // gone
				delete(c, path)
				continue
			}
			step, err := g.Next(t.Context(), &c[path].Entry)
			if err != nil {
				t.Fatal(err)
			}
			if i%1111 == 0 { // vanished before it was read
				delete(c, path)
				continue
			}
			if err := w.Keep(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
		root, err := w.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(root.Runs) != 2 {
			t.Errorf("%d runs, want a delta", len(root.Runs))
		}
		c.check(t, d.tree(root))
		empty := d.tree(content{}.mustWrite(t, d.tree(root), opts))
		content{}.check(t, empty)
		if len(empty.Root().Runs) != 0 {
			t.Errorf("an empty tree has %d runs", len(empty.Root().Runs))
		}
		c.check(t, d.tree(c.mustWrite(t, empty, opts)))
	}
}

func TestNodesInUnusablePacksMustBeReadAgain(t *testing.T) {
	c, tree, d := layered(t, 7, 3000)
	bad := dataPacks[7].Name
	doomed := Open(tree.Root(), d.load, OpenOptions{Unusable: func(p *archive.Pack) bool { return p.Name == bad }})
	g := doomed.Merge()
	defer g.Close()
	count := 0
	for _, path := range c.paths() {
		step, err := g.Next(t.Context(), &c[path].Entry)
		if err != nil {
			t.Fatal(err)
		}
		want := !slices.ContainsFunc(c[path].Chunks, func(chunk archive.Chunk) bool { return chunk.Place.Pack.Name == bad })
		if step.Old == nil || step.Usable != want {
			t.Fatalf("%q: usable %v, want %v", path, step.Usable, want)
		}
		if !want {
			count++
		}
	}
	if count == 0 {
		t.Error("no node was concerned")
	}
}

func TestPagesInUnusablePacksAreWrittenAgain(t *testing.T) {
	for seed := range uint64(4) {
		c, tree, d := layered(t, 8+seed, 6000)
		names := make(map[archive.Name]int)
		for page, err := range tree.PageChunks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			names[page.Chunk.Place.Pack.Name]++
		}
		for bad := range names {
			doomed := Open(tree.Root(), d.load, OpenOptions{Unusable: func(p *archive.Pack) bool { return p.Name == bad }})
			now := d.tree(c.mustWrite(t, doomed, d.options()))
			c.check(t, now)
			for page, err := range now.PageChunks(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if page.Chunk.Place.Pack.Name == bad {
					t.Fatalf("page at height %d of run %d is still in the pack", page.Height, page.Run)
				}
			}
		}
	}
}

func TestMergeFrom(t *testing.T) {
	for _, c := range []struct {
		runs    []uint64
		changes uint64
		want    int
	}{
		{[]uint64{100}, 1, 0},                 // a small base
		{[]uint64{1e6}, 1, 1},                 // a first delta
		{[]uint64{1e6}, 150001, 0},            // too many changes
		{[]uint64{1e6, 100000}, 60000, 0},     // with those before
		{[]uint64{1e6, 1000}, 10, 2},          // much less than before
		{[]uint64{1e6, 1000}, 300, 1},         // not much less
		{[]uint64{1e6, 64000, 1000}, 300, 2},  // merged with the last
		{[]uint64{1e6, 4000, 1000}, 300, 1},   // with all
		{[]uint64{1e6, 9e4, 9e3, 900}, 90, 3}, // too many runs
	} {
		var runs []Run
		for _, n := range c.runs {
			runs = append(runs, Run{Entries: n})
		}
		if got := mergeFrom(runs, c.changes); got != c.want {
			t.Errorf("%v with %d changes: from %d, want %d", c.runs, c.changes, got, c.want)
		}
	}
}

func TestManyWaitingPagesAreSettled(t *testing.T) {
	d := newDepot()
	opts := d.options()
	var open []*archive.Slot
	settled, most := 0, 0
	opts.Settle = func(context.Context) error {
		settled++
		most = max(most, len(open))
		for _, slot := range open {
			slot.Seal(archive.Place{Pack: dataPacks[0]})
		}
		open = nil
		return nil
	}
	w := NewWriter(nil, opts)
	const n = 600000
	for i := range n {
		slot := archive.NewSlot(archive.ID{byte(i), byte(i >> 8), byte(i >> 16)}, 1)
		open = append(open, slot)
		node := &Node{Entry: entry.Entry{Path: fmt.Sprintf("%08d", i), Type: entry.File, Size: 1}, Chunks: make([]archive.Chunk, 1)}
		if err := w.Add(t.Context(), node, []*archive.Slot{slot}, Step{}); err != nil {
			t.Fatal(err)
		}
	}
	if settled == 0 || most > n*3/4 {
		t.Errorf("settled %d times, with up to %d chunks pending", settled, most)
	}
	if err := opts.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	root, err := w.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if root.Entries != n {
		t.Errorf("%d entries, want %d", root.Entries, n)
	}
}

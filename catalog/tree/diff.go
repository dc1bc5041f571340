package tree

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/packstone/packstone/archive"
)

// Change is a path whose nodes differ between two trees.
type Change struct {
	Path string
	Old  *Node // nil: added
	New  *Node // nil: deleted
}

// Diff iterates over the paths in which b differs from a, in order; it ignores the places of
// chunks. It skips, without loading them, pages that both trees have at the same place. It treats a
// mark as a node only in a tree that yields marks. Nodes stay valid. It keeps the place of every
// page that only one tree has in memory, some 150 bytes each.
func Diff(ctx context.Context, a, b *Tree) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := &differ{trees: [2]*Tree{a, b}, old: a.finders().runs, now: b.finders().runs}
		candidates, err := uncommon(ctx, &comparison{trees: d.trees})
		if err == nil {
			err = d.run(ctx, candidates, Same, yield)
		}
		if err != nil {
			yield(Change{}, fmt.Errorf("compare trees: %w", err))
		}
	}
}

type differ struct {
	trees    [2]*Tree
	old, now []*cursor
}

// run compares the trees at every candidate path.
func (d *differ) run(ctx context.Context, candidates *merged, same func(a, b *Node) bool, yield func(Change, error) bool) error {
	defer candidates.close()
	last, begun := "", false
	for {
		n, err := candidates.next(ctx)
		if err != nil || n == nil {
			return err
		}
		if begun && n.Path == last || candidates.paired() {
			continue // one more row of the same node, or one that both trees have
		}
		last, begun = n.Path, true
		c := Change{Path: n.Path}
		if c.Old, err = d.trees[0].at(ctx, d.old, n.Path); err != nil {
			return err
		}
		if c.New, err = d.trees[1].at(ctx, d.now, n.Path); err != nil {
			return err
		}
		if c.Old == nil && c.New == nil || c.Old != nil && c.New != nil && same(c.Old, c.New) {
			continue
		}
		if !yield(c, nil) {
			return nil
		}
	}
}

// at returns the node at a path, nil if t yields none. Paths must ascend.
func (t *Tree) at(ctx context.Context, runs []*cursor, path string) (*Node, error) {
	for _, c := range slices.Backward(runs) {
		if err := c.seek(ctx, bound{path: path}); err != nil {
			return nil, err
		}
		if c.node == nil || c.node.Path != path {
			continue
		}
		if c.deleted || t.hides(c.node) {
			return nil, nil
		}
		return c.node, nil
	}
	return nil, nil
}

// paired reports whether the current row of each run is also in the same run of the other tree.
// Runs come in pairs.
func (m *merged) paired() bool {
	if len(m.due)%2 > 0 {
		return false
	}
	for i := 0; i < len(m.due); i += 2 {
		a, b := m.due[i], m.due[i+1]
		if a.pair != b || a.p.flag(a.i-1) != b.p.flag(b.i-1) || !identical(a.node, b.node) {
			return false
		}
	}
	return true
}

// uncommon returns a walk over all pages of nodes that only one tree has in a run. Every path in
// which the trees differ is in one of them.
func uncommon(ctx context.Context, c *comparison) (*merged, error) {
	m := &merged{tombs: true}
	for i := range max(len(c.trees[0].root.Runs), len(c.trees[1].root.Runs)) {
		lists, err := c.descend(ctx, c.trees[0].tops(i), c.trees[1].tops(i))
		if err != nil {
			return nil, err
		}
		old, now := c.candidates(0, lists[0]), c.candidates(1, lists[1])
		old.pair = now
		m.runs = append(m.runs, old, now)
	}
	return m, nil
}

// spot is a node of a run: a ref with the height of its page.
type spot struct {
	ref
	height uint8
}

func (t *Tree) tops(i int) []spot {
	if i >= len(t.root.Runs) || t.root.Runs[i].empty() {
		return nil
	}
	run := &t.root.Runs[i]
	return []spot{{run.top(), run.Height}}
}

// comparison finds the pages of nodes that only one of two trees has in its runs.
type comparison struct {
	trees  [2]*Tree
	places bool               // a page at another place is another page, and so is one with another page after it
	only   [2][]archive.Chunk // pages of all heights, if places
}

// candidates walks the rows of some pages.
func (c *comparison) candidates(tree int, refs []ref) *cursor {
	return &cursor{single: true, src: &selection{tree: c.trees[tree], refs: refs}}
}

// descend removes what both lists share, replaces the highest remaining pages by their children,
// and so on.
func (c *comparison) descend(ctx context.Context, a, b []spot) (lists [2][]ref, err error) {
	for {
		a, b = c.unshared(a, b)
		height := max(highest(a), highest(b))
		if height == 0 {
			c.note(0, a, 0)
			c.note(1, b, 0)
			return [2][]ref{leafRefs(a), leafRefs(b)}, nil
		}
		if a, err = c.expand(ctx, 0, a, height); err != nil {
			return lists, err
		}
		if b, err = c.expand(ctx, 1, b, height); err != nil {
			return lists, err
		}
	}
}

// note records the pages of one height that only one tree has.
func (c *comparison) note(tree int, list []spot, height uint8) {
	for i := range list {
		if c.places && list[i].height == height {
			c.only[tree] = append(c.only[tree], list[i].chunk)
		}
	}
}

// unshared removes the pages that are in both lists.
func (c *comparison) unshared(a, b []spot) (onlyA, onlyB []spot) {
	inA, inB := c.keys(a), c.keys(b)
	return c.without(a, inB), c.without(b, inA)
}

// spotKey identifies a spot: two spots with equal keys hold the same page and, with places, are
// either both right or both wrong.
type spotKey struct {
	id        archive.ID
	height    uint8
	pack      archive.Name
	ordinal   uint32
	first, to edge
}

// edge is where a page begins, according to the page above.
type edge struct {
	known   bool
	path    string
	resumes bool
}

func (c *comparison) key(s *spot) spotKey {
	k := spotKey{id: s.chunk.ID}
	if !c.places {
		return k
	}
	k.height, k.ordinal = s.height, s.chunk.Place.Ordinal
	if s.chunk.Place.Pack != nil {
		k.pack = s.chunk.Place.Pack.Name
	}
	if s.placed {
		k.first = edge{true, s.first, s.resumes}
	}
	if s.next != nil {
		k.to = edge{true, s.next.first, s.next.resumes}
	}
	return k
}

func (c *comparison) keys(list []spot) map[spotKey]bool {
	set := make(map[spotKey]bool, len(list))
	for i := range list {
		set[c.key(&list[i])] = true
	}
	return set
}

func (c *comparison) without(list []spot, set map[spotKey]bool) []spot {
	return slices.DeleteFunc(list, func(s spot) bool { return set[c.key(&s)] })
}

func highest(list []spot) uint8 {
	h := uint8(0)
	for i := range list {
		h = max(h, list[i].height)
	}
	return h
}

func leafRefs(list []spot) []ref {
	refs := make([]ref, len(list))
	for i := range list {
		refs[i] = list[i].ref
	}
	return refs
}

// expand replaces the pages of one height by their children.
func (c *comparison) expand(ctx context.Context, tree int, list []spot, height uint8) ([]spot, error) {
	c.note(tree, list, height)
	var out []spot
	for len(list) > 0 {
		if list[0].height != height {
			out, list = append(out, list[0]), list[1:]
			continue
		}
		n := 0
		for n < len(list) && n < indexBatch && list[n].height == height {
			n++
		}
		refs := leafRefs(list[:n])
		list = list[n:]
		pages, err := c.trees[tree].pages(ctx, refs, height)
		if err != nil {
			return nil, err
		}
		for i, p := range pages {
			for _, r := range refs[i].below(p) {
				out = append(out, spot{r, height - 1})
			}
		}
	}
	return out, nil
}

// selection is a source of some pages of a run, which need not be adjacent.
type selection struct {
	tree *Tree
	refs []ref
	now  batch
	at   int
}

func (s *selection) close() {}

func (s *selection) next(ctx context.Context) (*page, error) {
	if s.at == len(s.now.refs) {
		if len(s.refs) == 0 {
			return nil, nil
		}
		n := min(len(s.refs), 32)
		var err error
		if s.now, err = s.tree.loadBatch(ctx, s.refs[:n]); err != nil {
			return nil, err
		}
		s.refs, s.at = s.refs[n:], 0
	}
	p := new(page)
	err := p.read(s.now.raw[s.at], &s.now.refs[s.at], 0)
	s.at++
	return p, err
}

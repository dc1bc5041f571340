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

// Diff iterates over the paths in which b differs from a, in order; places of chunks do not count. Pages that both have at the same
// place are skipped without being loaded. A mark counts as a node only in a tree that gives marks. Nodes stay as they are. It holds the place of every page that is not in both, some 150 bytes each.
func Diff(ctx context.Context, a, b *Tree) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := &differ{trees: [2]*Tree{a, b}, old: a.finders(), now: b.finders()}
		candidates, err := uncommon(ctx, a, b)
		if err == nil {
			err = d.run(ctx, candidates, yield)
		}
		if err != nil {
			yield(Change{}, fmt.Errorf("compare trees: %w", err))
		}
	}
}

type differ struct {
	trees    [2]*Tree
	old, now *merged
}

// run compares the trees at every candidate.
func (d *differ) run(ctx context.Context, candidates *merged, yield func(Change, error) bool) error {
	defer candidates.close()
	last, begun := "", false
	for {
		n, err := candidates.next(ctx)
		if err != nil || n == nil {
			return err
		}
		if begun && n.Path == last {
			continue // one more row of the same node
		}
		last, begun = n.Path, true
		c := Change{Path: n.Path}
		if c.Old, err = d.trees[0].at(ctx, d.old, n.Path); err != nil {
			return err
		}
		if c.New, err = d.trees[1].at(ctx, d.now, n.Path); err != nil {
			return err
		}
		if c.Old == nil && c.New == nil || c.Old != nil && c.New != nil && Same(c.Old, c.New) {
			continue
		}
		if !yield(c, nil) {
			return nil
		}
	}
}

// at is the node of a path that t gives, nil if there is none. Paths must ascend.
func (t *Tree) at(ctx context.Context, m *merged, path string) (*Node, error) {
	n, err := m.seek(ctx, bound{path: path})
	if err != nil || n == nil || n.Path != path || t.hides(n) {
		return nil, err
	}
	return n, nil
}

// uncommon merges all pages of nodes that are not in the same run of both trees. Every path in which they differ is in one of these.
func uncommon(ctx context.Context, a, b *Tree) (*merged, error) {
	m := &merged{tombs: true}
	for i := range max(len(a.root.Runs), len(b.root.Runs)) {
		var lists [2][]ref
		c := comparison{trees: [2]*Tree{a, b}, found: &lists}
		if err := c.descend(ctx, a.tops(i), b.tops(i)); err != nil {
			return nil, err
		}
		for k, refs := range lists {
			m.runs = append(m.runs, &cursor{single: true, src: &selection{tree: c.trees[k], refs: refs}})
		}
	}
	return m, nil
}

// node of a pyramid: a ref with the height of its page.
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

// comparison finds the pages of nodes in only one of two runs.
type comparison struct {
	trees [2]*Tree
	found *[2][]ref
}

// descend drops what both lists share and goes down into the highest pages of the rest.
func (c *comparison) descend(ctx context.Context, a, b []spot) error {
	for {
		a, b = unshared(a, b)
		height := max(highest(a), highest(b))
		if height == 0 {
			c.found[0], c.found[1] = leafRefs(a), leafRefs(b)
			return nil
		}
		var err error
		if a, err = expand(ctx, c.trees[0], a, height); err != nil {
			return err
		}
		if b, err = expand(ctx, c.trees[1], b, height); err != nil {
			return err
		}
	}
}

// unshared drops the pages that are in both lists.
func unshared(a, b []spot) (onlyA, onlyB []spot) {
	inA, inB := ids(a), ids(b)
	return without(a, inB), without(b, inA)
}

func ids(list []spot) map[archive.ID]bool {
	set := make(map[archive.ID]bool, len(list))
	for i := range list {
		set[list[i].chunk.ID] = true
	}
	return set
}

func without(list []spot, set map[archive.ID]bool) []spot {
	return slices.DeleteFunc(list, func(s spot) bool { return set[s.chunk.ID] })
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
func expand(ctx context.Context, t *Tree, list []spot, height uint8) ([]spot, error) {
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
		pages, err := t.pages(ctx, refs, height)
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

// selection is a source of some of a run's pages, which need not be neighbours.
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

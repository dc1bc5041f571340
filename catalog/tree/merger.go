package tree

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// stepGone is how many deleted paths a Step carries. If more are gone at once, the Writer reads the
// last tree again.
const stepGone = 64

// Step is what the last tree says of one path. The caller passes it to the Writer with the new
// state of the path.
type Step struct {
	// Old is the node at this path, nil if there was none. It stays valid.
	Old *Node
	// Usable says that all of Old's chunks are in usable packs. Otherwise the content must be found
	// elsewhere or read again.
	Usable bool

	passed uint64   // nodes of the last tree up to this path, with Old
	gone   []string // those between the step before and this one, unless they are too many
}

// Merger walks the last tree in step with the entries of a source. It is for one goroutine, which
// may be ahead of the Writer's.
type Merger struct {
	tree   *Tree
	m      *merged
	node   *Node // the next one
	passed uint64
	begun  bool
	last   string
}

// Merge begins a walk through t. A nil tree has no nodes.
func (t *Tree) Merge() *Merger {
	g := &Merger{tree: t, m: &merged{}}
	if t != nil {
		g.m = t.streams(t.root.Runs, "", true)
	}
	return g
}

// Next moves to the path of e, which must come after the previous one. It loads ahead until the ctx
// of the first call ends.
func (g *Merger) Next(ctx context.Context, e *entry.Entry) (Step, error) {
	if g.begun && compare(g.last, e.Path) >= 0 {
		return Step{}, fmt.Errorf("%w: %q after %q", ErrOrder, e.Path, g.last)
	}
	if !g.begun {
		if err := g.advance(ctx); err != nil {
			return Step{}, err
		}
		g.begun = true
	}
	g.last = e.Path
	var step Step
	for g.node != nil {
		if g.node.Path == e.Path {
			return g.match(ctx, step)
		}
		if compare(g.node.Path, e.Path) > 0 {
			break
		}
		if len(step.gone) < stepGone {
			step.gone = append(step.gone, g.node.Path)
		}
		g.passed++
		if err := g.advance(ctx); err != nil {
			return Step{}, err
		}
	}
	step.passed = g.passed
	return step, nil
}

// match completes the step at the current node.
func (g *Merger) match(ctx context.Context, step Step) (Step, error) {
	g.passed++
	step.Old, step.passed = g.node, g.passed
	step.Usable = g.tree.unusable == nil || g.usable()
	return step, g.advance(ctx)
}

func (g *Merger) advance(ctx context.Context) error {
	n, err := g.m.next(ctx)
	if err != nil {
		return fmt.Errorf("read last tree: %w", err)
	}
	g.node = n
	return nil
}

// usable tests the packs of the current node, but only if its page names a pack that is not usable.
func (g *Merger) usable() bool {
	c := g.m.from
	if !c.joined && !c.p.suspect(g.tree) {
		return true
	}
	return g.tree.usable(g.node.Chunks)
}

func (t *Tree) usable(list []archive.Chunk) bool {
	for i := range list {
		if t.bad(list[i].Place.Pack) {
			return false
		}
	}
	return true
}

// suspect reports whether some of the page's packs are not usable.
func (p *page) suspect(t *Tree) bool {
	if p.tested == 0 {
		p.tested = 1
		for i := range p.packs {
			if t.bad(&p.packs[i]) {
				p.tested = 2
			}
		}
	}
	return p.tested == 2
}

// Close ends the walk.
func (g *Merger) Close() { g.m.close() }

package tree

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
)

// All iterates over the nodes whose path is not before from, in order. It loads ahead in batches,
// and stops loading when the loop ends. A node is valid until the next one; Clone copies it.
func (t *Tree) All(ctx context.Context, from string) iter.Seq2[*Node, error] {
	return func(yield func(*Node, error) bool) {
		m := t.streams(t.root.Runs, from, false)
		defer m.close()
		for {
			n, err := m.next(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("read tree: %w", err))
				return
			}
			if n == nil {
				return
			}
			if compare(n.Path, from) >= 0 && !t.hides(n) && !yield(n, nil) {
				return
			}
		}
	}
}

// Lookup returns the node at a path. The error wraps fs.ErrNotExist if there is none. It loads at
// most one page of each level of each run.
func (t *Tree) Lookup(ctx context.Context, path string) (*Node, error) {
	for i := len(t.root.Runs) - 1; i >= 0; i-- {
		c := &cursor{src: &finder{tree: t, run: t.root.Runs[i]}}
		if err := c.seek(ctx, bound{path: path}); err != nil {
			return nil, fmt.Errorf("look up %q in tree: %w", path, err)
		}
		if c.node == nil || c.node.Path != path {
			continue
		}
		if c.deleted || t.hides(c.node) {
			break
		}
		return c.node, nil
	}
	return nil, fmt.Errorf("look up %q in tree: %w", path, fs.ErrNotExist)
}

// Below iterates over the node of a directory, if there is one, and all nodes below it, in order. A
// node is valid until the next one.
func (t *Tree) Below(ctx context.Context, dir string) iter.Seq2[*Node, error] {
	return func(yield func(*Node, error) bool) {
		for n, err := range t.All(ctx, dir) {
			if err == nil && n.Path != dir && !below(dir, n.Path) {
				return
			}
			if !yield(n, err) {
				return
			}
		}
	}
}

// List iterates over what is directly in a directory, in order, without reading what is further
// below. It yields a directory without a node of its own as a node with only path and type. Nodes
// stay valid.
func (t *Tree) List(ctx context.Context, dir string) iter.Seq2[*Node, error] {
	return func(yield func(*Node, error) bool) {
		m := t.finders()
		to := bound{path: dir}
		for {
			n, err := m.seek(ctx, to)
			if err != nil {
				yield(nil, fmt.Errorf("list %q in tree: %w", dir, err))
				return
			}
			if n != nil && n.Path == dir {
				if n, err = m.next(ctx); err != nil {
					yield(nil, fmt.Errorf("list %q in tree: %w", dir, err))
					return
				}
			}
			if n == nil || !below(dir, n.Path) {
				return
			}
			if n = inside(dir, n); !t.hides(n) && !yield(n, nil) {
				return
			}
			to = bound{path: n.Path, after: true}
		}
	}
}

// inside returns the node directly in dir that is n, or contains n.
func inside(dir string, n *Node) *Node {
	start := 0
	if dir != "" {
		start = len(dir) + 1
	}
	end := strings.IndexByte(n.Path[start:], '/')
	if end < 0 {
		return n
	}
	return &Node{Entry: entry.Entry{Path: n.Path[:start+end], Type: entry.Directory}}
}

// Page is one page of a tree.
type Page struct {
	Chunk  archive.Chunk
	Run    int // index in Root.Runs
	Height uint8
	Packs  []archive.Pack // of the chunks and pages that it names; Pages alone fills it in
}

// Pages loads and decodes, and so checks, every page, and iterates over them, each page before
// those below it.
func (t *Tree) Pages(ctx context.Context) iter.Seq2[Page, error] {
	return t.walkPages(ctx, t.root.Runs, true)
}

// PageChunks iterates over every page. It does not load pages of nodes.
func (t *Tree) PageChunks(ctx context.Context) iter.Seq2[Page, error] {
	return t.pageChunks(ctx, t.root.Runs)
}

func (t *Tree) pageChunks(ctx context.Context, runs []Run) iter.Seq2[Page, error] {
	return t.walkPages(ctx, runs, false)
}

func (t *Tree) walkPages(ctx context.Context, runs []Run, leaves bool) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		w := pageWalk{tree: t, leaves: leaves, yield: yield, walked: map[archive.ID]bool{}}
		for i := range runs {
			if runs[i].empty() {
				continue
			}
			if !w.walk(ctx, i, []ref{runs[i].top()}, runs[i].Height) {
				return
			}
		}
	}
}

// pageWalk is an iteration over pages.
type pageWalk struct {
	tree   *Tree
	leaves bool
	yield  func(Page, error) bool
	walked map[archive.ID]bool // pages of pages: one that comes again names nothing new
}

// walk visits pages of one height and what is below them, and reports whether to continue.
func (w *pageWalk) walk(ctx context.Context, run int, refs []ref, height uint8) bool {
	for len(refs) > 0 {
		size := indexBatch
		if height == 0 {
			size = leafBatch
		}
		batch := refs[:min(size, len(refs))]
		refs = refs[len(batch):]
		pages := make([]*page, len(batch))
		if height > 0 || w.leaves {
			var err error
			if pages, err = w.tree.pages(ctx, batch, height); err != nil {
				w.yield(Page{}, fmt.Errorf("walk pages of tree: %w", err))
				return false
			}
		}
		if !w.batch(ctx, run, batch, pages, height) {
			return false
		}
	}
	return true
}

func (w *pageWalk) batch(ctx context.Context, run int, refs []ref, pages []*page, height uint8) bool {
	for i, p := range pages {
		page := Page{Chunk: refs[i].chunk, Run: run, Height: height}
		if p != nil {
			page.Packs = p.packs
		}
		if !w.yield(page, nil) {
			return false
		}
		if height == 0 || w.walked[page.Chunk.ID] {
			continue
		}
		w.walked[page.Chunk.ID] = true
		if !w.walk(ctx, run, refs[i].below(p), height-1) {
			return false
		}
	}
	return true
}

// AddNeeds adds to all what the tree needs: its pages, and the chunks of all its nodes.
func (t *Tree) AddNeeds(ctx context.Context, all *archive.RefSet) error {
	for page, err := range t.PageChunks(ctx) {
		if err != nil {
			return err
		}
		all.Add(page.Chunk.Place.Pack, page.Chunk.Place.Ordinal)
	}
	for node, err := range t.All(ctx, "") {
		if err != nil {
			return err
		}
		for i := range node.Chunks {
			if c := &node.Chunks[i]; !c.IsHole() {
				all.Add(c.Place.Pack, c.Place.Ordinal)
			}
		}
	}
	return nil
}

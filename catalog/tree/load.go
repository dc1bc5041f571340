package tree

import (
	"context"
	"fmt"
	"sync"

	"github.com/packstone/packstone/archive"
)

const (
	firstBatch = 8   // pages loaded at once at first, doubled each time
	leafBatch  = 128 // at most, of nodes: 2 MiB
	indexBatch = 16  // at most, of pages
	cached     = 128 // pages kept decoded, of some 100 KiB each
)

// Cache holds decoded pages, for look-ups. Several trees may share one. Its zero value is empty.
type Cache struct {
	mu    sync.Mutex
	pages map[archive.ID]*page
}

func (c *Cache) get(id archive.ID) *page {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages[id]
}

func (c *Cache) put(id archive.ID, p *page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages == nil {
		c.pages = make(map[archive.ID]*page)
	}
	for other := range c.pages {
		if len(c.pages) < cached {
			break
		}
		delete(c.pages, other)
	}
	c.pages[id] = p
}

// loadAll loads pages and passes each to each. It checks that the loader delivers every page once.
func (t *Tree) loadAll(ctx context.Context, want []archive.Chunk, each func(i int, raw []byte) error) error {
	seen := make([]bool, len(want))
	left := len(want)
	err := t.load(ctx, want, func(i int, raw []byte) error {
		if i < 0 || i >= len(want) || seen[i] {
			return fmt.Errorf("load tree pages: page %d came twice or was not wanted", i)
		}
		seen[i] = true
		left--
		return each(i, raw)
	})
	if err == nil && left > 0 {
		return fmt.Errorf("load tree pages: %d of %d did not come", left, len(want))
	}
	return err
}

// page loads one page, which must be of the given height.
func (t *Tree) page(ctx context.Context, r *ref, height uint8) (*page, error) {
	if p := t.kept(r, height); p != nil {
		return p, nil
	}
	pages, err := t.pages(ctx, []ref{*r}, height)
	if err != nil {
		return nil, err
	}
	t.keep(r, pages[0])
	return pages[0], nil
}

// kept returns a cached page, or nil.
func (t *Tree) kept(r *ref, height uint8) *page {
	if p := t.cache.get(r.chunk.ID); p != nil && p.height == height && r.holds(p) {
		return p
	}
	return nil
}

// keep caches a page if it is likely to be needed again.
func (t *Tree) keep(r *ref, p *page) {
	if p.height > 0 || t.shared {
		t.cache.put(r.chunk.ID, p)
	}
}

// pages loads and decodes some pages of one height.
func (t *Tree) pages(ctx context.Context, refs []ref, height uint8) ([]*page, error) {
	list := make([]*page, len(refs))
	err := t.loadAll(ctx, chunks(refs), func(i int, raw []byte) error {
		list[i] = new(page)
		return list[i].read(raw, &refs[i], height)
	})
	return list, err
}

// read decodes a page, and checks that it is the one that r names.
func (p *page) read(raw []byte, r *ref, height uint8) error {
	err := p.decode(raw)
	switch {
	case err != nil:
	case p.height != height:
		err = malformed("height %d in place of %d", p.height, height)
	case !r.holds(p):
		err = malformed("it does not belong to where %q begins", r.first)
	}
	if err != nil {
		return fmt.Errorf("read tree page %s: %w", r.chunk.ID, err)
	}
	return nil
}

// top returns the ref that a page of pages above the run would hold.
func (r *Run) top() ref { return ref{entries: r.Entries, bytes: r.Bytes, chunk: r.Top} }

func (r *Run) empty() bool { return r.Entries == 0 }

// leaves visits the refs to a run's pages of nodes in order, beginning with the one that may hold
// the first path not before from. It loads the pages above them.
func (t *Tree) leaves(ctx context.Context, run *Run, from string, visit func(*ref) error) error {
	if run.empty() {
		return nil
	}
	top := run.top()
	return t.descend(ctx, []ref{top}, run.Height, bound{path: from}, visit)
}

// descend visits the leaves below some refs to pages of one height.
func (t *Tree) descend(ctx context.Context, refs []ref, height uint8, from bound, visit func(*ref) error) error {
	refs = refs[child(refs, from):]
	if height == 0 {
		for i := range refs {
			if err := visit(&refs[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for size := 1; len(refs) > 0; size = min(2*size, indexBatch) {
		batch := refs[:min(size, len(refs))]
		refs = refs[len(batch):]
		pages, err := t.pages(ctx, batch, height)
		if err != nil {
			return err
		}
		for i, p := range pages {
			if err := t.descend(ctx, batch[i].below(p), height-1, from, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func chunks(refs []ref) []archive.Chunk {
	list := make([]archive.Chunk, len(refs))
	for i := range refs {
		list[i] = refs[i].chunk
	}
	return list
}

// child returns the index of the first ref below which a row may come after the position: the last
// ref that begins at or before it.
func child(refs []ref, at bound) int {
	lo, hi := 0, len(refs) // all before lo begin at or before the position, none from hi on
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if refs[mid].begins(at) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return max(0, lo-1)
}

// begins reports whether the page below r begins at or before the position, so that no earlier page
// matters.
func (r *ref) begins(at bound) bool {
	if at.after {
		return at.passes(r.first)
	}
	c := compare(r.first, at.path)
	return c < 0 || c == 0 && !r.resumes
}

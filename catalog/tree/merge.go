package tree

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive"
)

// mergeWindow is how many touched pages a merge loads at once.
const mergeWindow = 64

// merge merges the last tree's runs from one on, and the new changes, into one run. It takes over
// unchanged pages of the oldest of these runs without loading them.
func (w *Writer) merge(ctx context.Context, from int) (Run, error) {
	if w.out.hold == 0 { // changes that were stored are read back
		run, err := w.out.finish(ctx)
		if err != nil {
			return Run{}, err
		}
		if err := w.opts.Flush(ctx); err != nil {
			return Run{}, fmt.Errorf("flush tree pages: %w", err)
		}
		return w.fold(ctx, from, &run)
	}
	for _, m := range w.out.level(0).queue {
		if m.raw == nil {
			return Run{}, fmt.Errorf("page of %q: %w", m.ref.first, ErrPending)
		}
	}
	return w.fold(ctx, from, nil)
}

// fold merges with changes from a stored run, or with those in memory.
func (w *Writer) fold(ctx context.Context, from int, changes *Run) (Run, error) {
	f := &folding{
		tree: w.prev,
		run:  w.prev.root.Runs[from],
		base: from == 0,
		out:  newRunWriter(&w.opts, w.key),
	}
	f.out.known = make(map[archive.ID]archive.Chunk)
	newer := func() *merged { return w.newer(from+1, changes) }
	if err := f.survey(ctx, newer()); err != nil {
		return Run{}, err
	}
	f.newer = newer()
	defer f.newer.close()
	if err := f.fold(ctx); err != nil {
		return Run{}, err
	}
	return f.out.finish(ctx)
}

// newer returns a walk over the last tree's runs from one on, and the changes.
func (w *Writer) newer(from int, changes *Run) *merged {
	m := w.prev.streams(w.prev.root.Runs[from:], "", false)
	m.tombs = true
	if changes != nil {
		m.runs = append(m.runs, &cursor{src: &stream{tree: w.prev, run: *changes}})
		return m
	}
	held := &heldPages{}
	for _, page := range w.out.level(0).queue {
		held.raw = append(held.raw, page.raw)
	}
	m.runs = append(m.runs, &cursor{src: held})
	return m
}

// folding is the state of merging one run with newer ones.
type folding struct {
	tree    *Tree
	run     Run
	base    bool // deletions are dropped
	newer   *merged
	out     *runWriter
	touched []bool // which of the run's pages of nodes must be read
	raw     map[int][]byte
	page    page
}

// survey finds the pages that must be read: those with a newer path in their range, and those in
// packs that may be deleted.
func (f *folding) survey(ctx context.Context, newer *merged) error {
	defer newer.close()
	n, err := newer.next(ctx)
	if err != nil {
		return err
	}
	return f.ranges(ctx, func(_ int, r, after *ref) error {
		for n != nil && compare(n.Path, r.first) < 0 {
			if n, err = newer.next(ctx); err != nil {
				return err
			}
		}
		f.touched = append(f.touched, n != nil && r.reaches(n.Path, after) || f.tree.bad(r.chunk.Place.Pack))
		return nil
	})
}

// reaches reports whether a path, which is not before the page's first one, falls into the page's
// range.
func (r *ref) reaches(path string, after *ref) bool {
	if after == nil {
		return true
	}
	c := compare(path, after.first)
	return c < 0 || c == 0 && after.resumes
}

// ranges visits the run's pages of nodes, each with the next one, nil after the last. It also
// records the pages above them, which need not be stored again if they stay the same.
func (f *folding) ranges(ctx context.Context, visit func(i int, r, after *ref) error) error {
	i := 0
	var before *ref
	err := f.tree.leaves(ctx, &f.run, "", func(r *ref) error {
		now := *r
		last := before
		before = &now
		if last == nil {
			return nil
		}
		i++
		return visit(i-1, last, &now)
	})
	if err != nil || before == nil {
		return err
	}
	return visit(i, before, nil)
}

// fold writes the merged run.
func (f *folding) fold(ctx context.Context) error {
	if err := f.noteIndex(ctx); err != nil {
		return err
	}
	if _, err := f.newer.next(ctx); err != nil {
		return err
	}
	var window []ref
	first := 0
	wanted := 0
	err := f.ranges(ctx, func(i int, r, _ *ref) error {
		window = append(window, *r)
		if f.touched[i] {
			wanted++
		}
		if wanted < mergeWindow && len(window) < 16*mergeWindow {
			return nil
		}
		err := f.window(ctx, window, first)
		window, first, wanted = window[:0], i+1, 0
		return err
	})
	if err != nil {
		return err
	}
	if err := f.window(ctx, window, first); err != nil {
		return err
	}
	for f.newer.current() != nil {
		if err := f.takeNewer(ctx); err != nil {
			return err
		}
	}
	return nil
}

// noteIndex records the run's pages of pages that are in usable packs.
func (f *folding) noteIndex(ctx context.Context) error {
	for page, err := range f.tree.pageChunks(ctx, []Run{f.run}) {
		if err != nil {
			return err
		}
		if page.Height > 0 && !f.tree.bad(page.Chunk.Place.Pack) {
			f.out.known[page.Chunk.ID] = page.Chunk
		}
	}
	return nil
}

// window merges some of the run's pages. It loads the touched ones together.
func (f *folding) window(ctx context.Context, refs []ref, first int) error {
	var want []archive.Chunk
	var index []int
	for i := range refs {
		if f.touched[first+i] {
			want = append(want, refs[i].chunk)
			index = append(index, i)
		}
	}
	f.raw = make(map[int][]byte, len(want))
	err := f.tree.loadAll(ctx, want, func(i int, raw []byte) error {
		f.raw[index[i]] = append([]byte(nil), raw...)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range refs {
		if err := f.part(ctx, &refs[i], i); err != nil {
			return err
		}
	}
	return nil
}

// part merges one page of the run: as a whole if possible, else row by row.
func (f *folding) part(ctx context.Context, r *ref, i int) error {
	if err := f.takeBefore(ctx, r.first); err != nil {
		return err
	}
	raw, loaded := f.raw[i]
	if !loaded && f.out.fresh() {
		return f.out.adopt(ctx, r)
	}
	if loaded {
		if err := f.page.read(raw, r, 0); err != nil {
			return err
		}
		return f.rows(ctx, &f.page)
	}
	p, err := f.tree.page(ctx, r, 0)
	if err != nil {
		return err
	}
	return f.rows(ctx, p)
}

// rows merges a page row by row. It skips rows with a newer node of the same path.
func (f *folding) rows(ctx context.Context, p *page) error {
	for i := range p.rows {
		n := &p.rows[i]
		if err := f.takeBefore(ctx, n.Path); err != nil {
			return err
		}
		newer := f.newer.current()
		flags := p.flag(i)
		if newer != nil && newer.Path == n.Path || f.base && flags&rowDeleted != 0 {
			continue
		}
		if err := f.out.add(ctx, &row{node: n, flags: flags, chunks: n.Chunks, extents: n.Extents}); err != nil {
			return err
		}
	}
	return nil
}

// takeBefore writes all newer nodes before a path.
func (f *folding) takeBefore(ctx context.Context, path string) error {
	for n := f.newer.current(); n != nil && compare(n.Path, path) < 0; n = f.newer.current() {
		if err := f.takeNewer(ctx); err != nil {
			return err
		}
	}
	return nil
}

// takeNewer writes the current newer node.
func (f *folding) takeNewer(ctx context.Context) error {
	deleted := f.newer.from.deleted
	if !deleted || !f.base {
		if err := f.out.addNode(ctx, f.newer.current(), nil, deleted); err != nil {
			return err
		}
	}
	_, err := f.newer.next(ctx)
	return err
}

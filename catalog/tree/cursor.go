package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/packstone/packstone/archive"
)

// source yields the pages of nodes of one run, in order.
type source interface {
	// next returns the next page, nil after the last one. It may overwrite the previous page.
	next(ctx context.Context) (*page, error)
	close()
}

// cursor walks the nodes of one run, across its pages.
type cursor struct {
	src     source
	single  bool    // every row counts as a node: none are joined or passed over
	pair    *cursor // where two trees are compared, that over the same run of the other
	p       *page   // nil before the first page
	turns   int     // pages so far
	i       int     // the row after the current node's
	node    *Node   // the current node, nil at the end
	deleted bool    // the current node is a deletion
	joined  bool    // its lists are gathered from several rows
	done    bool
}

// advance moves to the next node. It skips rows of a node that began before the position sought.
func (c *cursor) advance(ctx context.Context) error {
	for c.p == nil || c.i >= len(c.p.rows) || !c.single && c.p.flag(c.i)&rowResumes != 0 {
		if c.p != nil && c.i < len(c.p.rows) {
			c.i++
			continue
		}
		if more, err := c.turn(ctx); !more {
			c.node, c.done = nil, true
			return err
		}
	}
	i := c.i
	c.i++
	c.node, c.joined = &c.p.rows[i], false
	flags := c.p.flag(i)
	c.deleted = flags&rowDeleted != 0
	if flags&rowMore != 0 && !c.single {
		return c.join(ctx)
	}
	return nil
}

// turn reads the next page, and checks that its paths come after the previous ones.
func (c *cursor) turn(ctx context.Context) (bool, error) {
	if c.done {
		return false, nil
	}
	ordered, last := c.p != nil, ""
	if ordered {
		last = c.p.rows[len(c.p.rows)-1].Path
	}
	p, err := c.src.next(ctx)
	if err != nil || p == nil {
		return false, err
	}
	first := compare(last, p.rows[0].Path)
	if ordered && (first > 0 || first == 0 && p.flag(0)&rowResumes == 0) {
		return false, fmt.Errorf("%w: page of %q after %q", ErrFormat, p.rows[0].Path, last)
	}
	c.enter(p)
	return true, nil
}

func (c *cursor) enter(p *page) {
	c.p, c.i = p, 0
	c.turns++
}

// join collects the lists of a node that takes several rows.
func (c *cursor) join(ctx context.Context) error {
	whole := c.node.Clone()
	for more := true; more; c.i++ {
		if c.i >= len(c.p.rows) {
			ok, err := c.turn(ctx)
			if err != nil {
				return err
			}
			if !ok {
				return malformed("chunks of %q end too early", whole.Path)
			}
		}
		n := &c.p.rows[c.i]
		flags := c.p.flag(c.i)
		if flags&rowResumes == 0 || n.Path != whole.Path {
			return malformed("chunks of %q end too early", whole.Path)
		}
		if len(whole.Chunks)+len(n.Chunks) > maxNodeChunks || len(whole.Extents)+len(n.Extents) > maxNodeExtents {
			return malformed("%q has more than %d chunks or %d extents", whole.Path, maxNodeChunks, maxNodeExtents)
		}
		whole.Chunks = append(whole.Chunks, n.Chunks...)
		whole.Extents = append(whole.Extents, n.Extents...)
		more = flags&rowMore != 0
	}
	c.node, c.joined = whole, true
	return nil
}

// merged walks the nodes of several runs as one tree. Of nodes with equal paths, the one in the
// latest run counts.
type merged struct {
	runs      []*cursor // the oldest first
	tombs     bool      // stop at deletions as well
	due       []*cursor // those to advance at the next step
	alone     int       // up to aloneRow, nodes in this page (of so many) of the first run come before those of all others
	aloneRow  int
	from      *cursor // of the current node
	initiated bool
}

// next moves to the next node and returns it, nil at the end. It may overwrite the previous node.
func (m *merged) next(ctx context.Context) (*Node, error) {
	for {
		if err := m.step(ctx); err != nil || m.from == nil {
			return nil, err
		}
		if m.tombs || !m.from.deleted {
			return m.from.node, nil
		}
	}
}

// step moves to the next node or deletion.
func (m *merged) step(ctx context.Context) error {
	if !m.initiated {
		m.initiated = true
		m.due = append(m.due, m.runs...)
	}
	for _, c := range m.due {
		if err := c.advance(ctx); err != nil {
			m.from = nil
			return err
		}
	}
	m.due = m.due[:0]
	m.choose()
	return nil
}

// choose finds the smallest path.
func (m *merged) choose() {
	m.from = nil
	if len(m.runs) == 0 {
		return
	}
	first := m.runs[0]
	if first.node != nil && (len(m.runs) == 1 || first.turns == m.alone && first.i <= m.aloneRow && !first.joined) {
		m.take(first)
		return
	}
	for _, c := range m.runs {
		if c.node == nil {
			continue
		}
		order := -1
		if m.from != nil {
			order = compare(c.node.Path, m.from.node.Path)
		}
		if order < 0 {
			m.due = m.due[:0]
		}
		if order <= 0 {
			m.take(c)
		}
	}
	m.alone = 0
	if m.from == first && len(m.due) == 1 {
		m.findAlone(first)
	}
}

func (m *merged) take(c *cursor) {
	m.from = c
	m.due = append(m.due, c)
}

// findAlone counts how many more nodes of the first run's page come before the nodes of all other
// runs, so that they need no comparison.
func (m *merged) findAlone(first *cursor) {
	rows := first.p.rows
	limit := len(rows)
	for _, c := range m.runs[1:] {
		if c.node == nil || compare(rows[limit-1].Path, c.node.Path) < 0 {
			continue
		}
		limit = first.i + sort.Search(limit-first.i, func(i int) bool {
			return compare(rows[first.i+i].Path, c.node.Path) >= 0
		})
		if limit <= first.i {
			return
		}
	}
	m.alone, m.aloneRow = first.turns, limit
}

func (m *merged) close() {
	for _, c := range m.runs {
		c.src.close()
	}
}

// stream is a source that loads the pages of a run ahead of their use.
type stream struct {
	tree    *Tree
	run     Run
	from    string
	fresh   bool // never write over a page
	cancel  context.CancelFunc
	batches chan batch
	now     batch
	at      int
	page    *page
}

// batch is a number of pages that were loaded together.
type batch struct {
	refs []ref
	raw  [][]byte
	err  error
}

func (s *stream) next(ctx context.Context) (*page, error) {
	if s.batches == nil {
		s.start(ctx)
	}
	for s.at >= len(s.now.refs) {
		next, ok := <-s.batches
		if !ok {
			return nil, context.Cause(ctx)
		}
		if next.err != nil {
			return nil, next.err
		}
		s.now, s.at = next, 0
	}
	if s.page == nil || s.fresh {
		s.page = new(page)
	}
	at := s.at
	s.at++
	return s.page, s.page.read(s.now.raw[at], &s.now.refs[at], 0)
}

func (s *stream) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.batches = make(chan batch, 1)
	go func() {
		defer close(s.batches)
		if err := s.produce(ctx); err != nil {
			s.send(ctx, batch{err: err})
		}
	}()
}

func (s *stream) send(ctx context.Context, b batch) error {
	select {
	case s.batches <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// produce loads batch after batch.
func (s *stream) produce(ctx context.Context) error {
	size := firstBatch
	var refs []ref
	flush := func() error {
		b, err := s.tree.loadBatch(ctx, refs)
		if err != nil {
			return err
		}
		refs, size = nil, min(2*size, leafBatch)
		return s.send(ctx, b)
	}
	err := s.tree.leaves(ctx, &s.run, s.from, func(r *ref) error {
		refs = append(refs, *r)
		if len(refs) < size {
			return nil
		}
		return flush()
	})
	if err != nil || len(refs) == 0 {
		return err
	}
	return flush()
}

func (t *Tree) loadBatch(ctx context.Context, refs []ref) (batch, error) {
	b := batch{refs: refs, raw: make([][]byte, len(refs))}
	err := t.loadAll(ctx, chunks(refs), func(i int, raw []byte) error {
		b.raw[i] = append([]byte(nil), raw...)
		return nil
	})
	return b, err
}

// close ends the loading and waits for it.
func (s *stream) close() {
	if s.batches == nil {
		return
	}
	s.cancel()
	for range s.batches {
	}
}

// heldPages is a source of pages that are not stored yet.
type heldPages struct{ raw [][]byte }

func (m *heldPages) next(context.Context) (*page, error) {
	if len(m.raw) == 0 {
		return nil, nil
	}
	p := new(page)
	err := p.read(m.raw[0], &ref{}, 0)
	m.raw = m.raw[1:]
	return p, err
}

func (m *heldPages) close() {}

// finder is a source that can jump. It loads pages when they are needed, and with each page those
// after it in the same frame.
type finder struct {
	tree  *Tree
	run   Run
	stack []level // from the top down to the pages of nodes
}

// level is a page of pages, and the child that was last taken.
type level struct {
	refs   []ref
	at     int
	height uint8          // of the children
	beside map[int][]byte // children that came with another, by their index
}

func (f *finder) close() {}

func (f *finder) next(ctx context.Context) (*page, error) {
	if f.stack == nil {
		return f.seek(ctx, bound{})
	}
	for n := len(f.stack); n > 0; n = len(f.stack) {
		top := &f.stack[n-1]
		top.at++
		if top.at < len(top.refs) {
			return f.enter(ctx, bound{})
		}
		f.stack = f.stack[:n-1]
	}
	return nil, nil
}

// seek returns the page that may hold the first path after the position.
func (f *finder) seek(ctx context.Context, to bound) (*page, error) {
	if f.run.empty() {
		f.stack = []level{}
		return nil, nil
	}
	f.stack = append(f.stack[:0], level{refs: []ref{f.run.top()}, height: f.run.Height})
	return f.enter(ctx, to)
}

// enter descends from the current child of the lowest level.
func (f *finder) enter(ctx context.Context, to bound) (*page, error) {
	for {
		low := &f.stack[len(f.stack)-1]
		p, err := f.page(ctx, low)
		if err != nil || low.height == 0 {
			return p, err
		}
		f.stack = append(f.stack, level{refs: low.refs[low.at].below(p), at: child(p.refs, to), height: low.height - 1})
	}
}

// page loads the current child of a level.
func (f *finder) page(ctx context.Context, low *level) (*page, error) {
	r := &low.refs[low.at]
	if p := f.tree.kept(r, low.height); p != nil {
		return p, nil
	}
	if low.beside[low.at] == nil {
		n := sameFrame(low.refs[low.at:])
		if n == 1 {
			return f.tree.page(ctx, r, low.height)
		}
		err := f.loadFrame(ctx, low, n)
		if errors.Is(err, archive.ErrDamaged) { // perhaps only one that is not needed
			return f.tree.page(ctx, r, low.height)
		}
		if err != nil {
			return nil, err
		}
	}
	p := new(page)
	if err := p.read(low.beside[low.at], r, low.height); err != nil {
		return nil, err
	}
	delete(low.beside, low.at)
	f.tree.keep(r, p)
	return p, nil
}

// loadFrame loads the current child and the ones after it, n in total.
func (f *finder) loadFrame(ctx context.Context, low *level, n int) error {
	beside := make(map[int][]byte, n)
	err := f.tree.loadAll(ctx, chunks(low.refs[low.at:low.at+n]), func(i int, raw []byte) error {
		beside[low.at+i] = bytes.Clone(raw)
		return nil
	})
	if err == nil {
		low.beside = beside
	}
	return err
}

// sameFrame returns how many of the first refs are to pages of one frame.
func sameFrame(refs []ref) int {
	first := &refs[0].chunk.Place
	n := 1
	for n < len(refs) && refs[n].chunk.Place.Frame == first.Frame && refs[n].chunk.Place.Pack == first.Pack {
		n++
	}
	return n
}

// seek moves a cursor over a finder to the first node after the position. Positions must ascend.
func (c *cursor) seek(ctx context.Context, to bound) error {
	if c.done || c.node != nil && !to.passes(c.node.Path) {
		return nil
	}
	if c.p == nil || to.passes(c.p.rows[len(c.p.rows)-1].Path) {
		p, err := c.src.(*finder).seek(ctx, to)
		if err != nil {
			return err
		}
		if p == nil {
			c.node, c.done = nil, true
			return nil
		}
		c.enter(p)
	}
	rest := c.p.rows[c.i:]
	c.i += sort.Search(len(rest), func(i int) bool { return !to.passes(rest[i].Path) })
	for {
		if err := c.advance(ctx); err != nil || c.node == nil || !to.passes(c.node.Path) {
			return err
		}
	}
}

// seek moves to the first node after the position. Positions must ascend.
func (m *merged) seek(ctx context.Context, to bound) (*Node, error) {
	m.initiated, m.alone, m.due = true, 0, m.due[:0]
	for _, c := range m.runs {
		if err := c.seek(ctx, to); err != nil {
			return nil, err
		}
	}
	m.choose()
	if m.from == nil || m.tombs || !m.from.deleted {
		return m.current(), nil
	}
	return m.next(ctx)
}

func (m *merged) current() *Node {
	if m.from == nil {
		return nil
	}
	return m.from.node
}

// streams returns a walk over all runs, from a path on, that loads ahead.
func (t *Tree) streams(runs []Run, from string, fresh bool) *merged {
	m := &merged{}
	for _, run := range runs {
		m.runs = append(m.runs, &cursor{src: &stream{tree: t, run: run, from: from, fresh: fresh}})
	}
	return m
}

// finders returns a walk over all runs that can jump.
func (t *Tree) finders() *merged {
	m := &merged{}
	for _, run := range t.root.Runs {
		m.runs = append(m.runs, &cursor{src: &finder{tree: t, run: run}})
	}
	return m
}

package tree

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
)

const (
	maxWaiting = 1024 // pages of about 30 KiB until they are encoded
	maxSpare   = 64   // builders kept for use again
)

// runWriter writes one run: rows go into pages of nodes, refs to these into pages above, up to a
// single page.
type runWriter struct {
	opts   *WriterOptions
	key    pageKey
	known  map[archive.ID]archive.Chunk // pages that are stored already
	levels []*runLevel
	spare  []*builder
	buffer bytes.Buffer

	patience int // pages that may wait for places before they are asked for

	hold    int64 // pages of nodes are kept in memory up to so many bytes; 0: they are stored at once
	held    int64
	entries uint64
	bytes   uint64
}

// runLevel is the pages of one height of a run.
type runLevel struct {
	height  uint8
	open    *builder      // the page that is being filled; nil where the next row begins one
	queue   []*sealedPage // complete pages that the level above does not know yet, in order
	waiting []*sealedPage // those among them that are not encoded yet
	pages   int           // complete pages in all
	first   *sealedPage   // the first of the queue's past, until a second page shows that there is a level above
}

// sealedPage is a complete page.
type sealedPage struct {
	ref  ref
	b    *builder      // until its chunks are placed
	raw  []byte        // while it is held in memory
	slot *archive.Slot // until it is placed itself; nil if it was stored before
}

func newRunWriter(opts *WriterOptions, key pageKey) *runWriter {
	return &runWriter{opts: opts, key: key, patience: maxWaiting}
}

func (p *runWriter) level(height int) *runLevel {
	for len(p.levels) <= height {
		p.levels = append(p.levels, &runLevel{height: uint8(len(p.levels))})
	}
	return p.levels[height]
}

func (p *runWriter) builder(height uint8) *builder {
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		b.reset(height)
		return b
	}
	return newBuilder(height)
}

// add appends a row.
func (p *runWriter) add(ctx context.Context, r *row) error {
	f := p.level(0)
	if f.open == nil {
		f.open = p.builder(0)
	}
	entries, size := f.open.entries, f.open.bytes
	f.open.add(r)
	p.entries += f.open.entries - entries
	p.bytes += f.open.bytes - size
	if f.open.weight < pageLimit && !p.key.ends(0, r.end(), r.weight()) {
		return nil
	}
	f.close()
	return p.closed(ctx, f)
}

// addNode appends a node or its deletion.
func (p *runWriter) addNode(ctx context.Context, n *Node, slots []*archive.Slot, deleted bool) error {
	if deleted {
		return p.add(ctx, &row{node: n, flags: rowDeleted})
	}
	if fitsRow(n) {
		return p.add(ctx, &row{node: n, chunks: n.Chunks, slots: slots, extents: n.Extents})
	}
	return split(n, slots, func(r *row) error { return p.add(ctx, r) })
}

// fresh reports whether the next row begins a page.
func (p *runWriter) fresh() bool { return p.level(0).open == nil }

// adopt appends a page that is stored already. It may only be called where a page begins.
func (p *runWriter) adopt(ctx context.Context, r *ref) error {
	f := p.level(0)
	f.queue = append(f.queue, &sealedPage{ref: *r})
	f.pages++
	p.entries += r.entries
	p.bytes += r.bytes
	return p.report(ctx, f)
}

// close ends the page that is being filled.
func (f *runLevel) close() {
	b := f.open
	if b == nil {
		return
	}
	f.open = nil
	f.pages++
	m := &sealedPage{b: b, ref: ref{first: b.first, resumes: b.resumes, entries: b.entries, bytes: b.bytes}}
	f.queue = append(f.queue, m)
	f.waiting = append(f.waiting, m)
}

// closed handles a page that close has just ended. Earlier pages are left to poll.
func (p *runWriter) closed(ctx context.Context, f *runLevel) error {
	last := len(f.waiting) - 1
	if err := p.finishPage(ctx, f, f.waiting[last]); err != nil {
		return err
	}
	if f.waiting[last].b == nil {
		f.waiting = f.waiting[:last]
		return p.report(ctx, f)
	}
	return p.relieve(ctx, f)
}

// relieve asks for places if many pages wait for them, since these take memory.
func (p *runWriter) relieve(ctx context.Context, f *runLevel) error {
	if f.height > 0 || p.opts.Settle == nil || len(f.waiting) < p.patience {
		return nil
	}
	if err := p.opts.Settle(ctx); err != nil {
		return fmt.Errorf("settle chunks of a tree: %w", err)
	}
	err := p.poll(ctx)
	p.patience = len(f.waiting) + maxWaiting
	return err
}

// pump stores complete pages whose chunks are placed, and reports stored pages to the level above.
func (p *runWriter) pump(ctx context.Context, f *runLevel) error {
	for _, m := range f.waiting {
		if err := p.finishPage(ctx, f, m); err != nil {
			return err
		}
	}
	f.waiting = slices.DeleteFunc(f.waiting, func(m *sealedPage) bool { return m.b == nil })
	return p.report(ctx, f)
}

// report passes the stored pages at the head of the queue to the level above.
func (p *runWriter) report(ctx context.Context, f *runLevel) error {
	n := 0
	for n < len(f.queue) && f.queue[n].b == nil && f.queue[n].raw == nil {
		if err := p.raise(ctx, f, f.queue[n]); err != nil {
			return err
		}
		n++
	}
	clear(f.queue[:n])
	f.queue = f.queue[n:]
	return nil
}

// finishPage encodes the page if its chunks are placed, and stores it unless it is held.
func (p *runWriter) finishPage(ctx context.Context, f *runLevel, m *sealedPage) error {
	if !m.b.placed() {
		return nil
	}
	p.buffer.Reset()
	if err := m.b.encode(&p.buffer); err != nil {
		return err
	}
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, m.b)
	}
	m.b = nil
	if f.height > 0 || p.hold == 0 {
		return p.store(ctx, m, p.buffer.Bytes())
	}
	m.raw = bytes.Clone(p.buffer.Bytes())
	p.held += int64(len(m.raw))
	if p.held > p.hold {
		return p.release(ctx)
	}
	return nil
}

// release stores the held pages. From then on all pages are stored at once.
func (p *runWriter) release(ctx context.Context) error {
	p.hold, p.held = 0, 0
	for _, m := range p.level(0).queue {
		if m.raw == nil {
			continue
		}
		raw := m.raw
		m.raw = nil
		if err := p.store(ctx, m, raw); err != nil {
			return err
		}
	}
	return nil
}

func (p *runWriter) store(ctx context.Context, m *sealedPage, raw []byte) error {
	id := p.opts.ID(raw)
	if chunk, ok := p.known[id]; ok {
		m.ref.chunk = chunk
		return nil
	}
	m.slot = archive.NewSlot(id, len(raw))
	if err := p.opts.Store(ctx, m.slot, raw); err != nil {
		return fmt.Errorf("store tree page %s: %w", id, err)
	}
	return nil
}

// raise passes a stored page to the level above, beginning with the second: a single page is the
// top.
func (p *runWriter) raise(ctx context.Context, f *runLevel, m *sealedPage) error {
	if f.first == nil {
		f.first = m
		return nil
	}
	above := p.level(int(f.height) + 1)
	if above.open == nil && above.pages == 0 {
		if err := p.addRef(ctx, above, f.first); err != nil {
			return err
		}
	}
	return p.addRef(ctx, above, m)
}

// addRef appends a page of the level below. A page of pages has at least two rows, so that every
// level has at most half as many pages as the one below.
func (p *runWriter) addRef(ctx context.Context, f *runLevel, m *sealedPage) error {
	if f.open == nil {
		f.open = p.builder(f.height)
	}
	f.open.addRef(&m.ref, m.slot)
	if f.open.w.Rows < 2 || f.open.weight < pageLimit && !p.key.ends(f.height, m.ref.first, m.ref.weight()) {
		return nil
	}
	f.close()
	return p.closed(ctx, f)
}

// poll stores pages whose chunks have been placed since the last call.
func (p *runWriter) poll(ctx context.Context) error {
	for i := 0; i < len(p.levels); i++ { // pump may add levels
		if err := p.pump(ctx, p.levels[i]); err != nil {
			return err
		}
	}
	return nil
}

// finish completes the run. All chunks of nodes must be placed.
func (p *runWriter) finish(ctx context.Context) (Run, error) {
	if p.fresh() && p.level(0).pages == 0 {
		return Run{}, nil
	}
	for height := 0; ; height++ {
		f := p.level(height)
		f.close()
		if err := p.settle(ctx, f); err != nil {
			return Run{}, err
		}
		if f.pages == 1 {
			return p.crown(ctx, f)
		}
	}
}

// settle stores all pages of a level, and those of higher levels whose children are placed.
func (p *runWriter) settle(ctx context.Context, f *runLevel) error {
	if err := p.poll(ctx); err != nil || len(f.queue) == 0 {
		return err
	}
	if f.height > 0 {
		if err := p.opts.Seal(ctx); err != nil {
			return fmt.Errorf("seal tree pages: %w", err)
		}
		if err := p.poll(ctx); err != nil {
			return err
		}
	}
	if len(f.queue) > 0 {
		return fmt.Errorf("finish tree: page of %q: %w", f.queue[0].ref.first, ErrPending)
	}
	return nil
}

// crown returns the run whose top is the only page of a level.
func (p *runWriter) crown(ctx context.Context, f *runLevel) (Run, error) {
	run := Run{Top: f.first.ref.chunk, Height: f.height, Entries: p.entries, Bytes: p.bytes}
	slot := f.first.slot
	if slot == nil {
		return run, nil
	}
	if _, placed := slot.Chunk(); !placed {
		if err := p.opts.Seal(ctx); err != nil {
			return Run{}, fmt.Errorf("seal tree pages: %w", err)
		}
	}
	chunk, placed := slot.Chunk()
	if !placed {
		return Run{}, fmt.Errorf("finish tree: top page: %w", ErrPending)
	}
	run.Top = chunk
	return run, nil
}

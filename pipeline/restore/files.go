package restore

import (
	"bytes"
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// restoring is a file on its way back. Its chunks come in any order, from several goroutines.
type restoring struct {
	node *tree.Node
	left int    // chunks that are still to come
	have []bool // chunks that the target had already; nil: none

	mu     sync.Mutex
	file   target.File
	failed error
}

func newRestoring(n *tree.Node) *restoring { return &restoring{node: n, left: len(n.Chunks)} }

// use is a chunk of a file and where it belongs in it.
type use struct {
	file   *restoring
	offset int64
}

// writeByPack fetches every pack of the window once and writes each chunk wherever it belongs.
func (r *restore) writeByPack(ctx context.Context, window []*restoring) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.parallel())
	for _, f := range window {
		if len(f.node.Chunks) == 0 {
			g.Go(func() error { return r.done(gctx, f, r.commit(gctx, f)) })
		}
	}
	g.Go(func() error { return r.fill(gctx, window) })
	return dropUnlessDone(window, g.Wait())
}

// dropUnlessDone leaves nothing half-written behind where a window ended early.
func dropUnlessDone(window []*restoring, err error) error {
	if err == nil {
		return nil
	}
	for _, f := range window {
		f.mu.Lock()
		if f.file != nil {
			f.file.Abort()
			f.file = nil
		}
		f.mu.Unlock()
	}
	return err
}

func (r *restore) parallel() int {
	if r.o.Parallel > 0 {
		return r.o.Parallel
	}
	return 4
}

// wanted lists the chunks that files lack, and where each belongs.
func wanted(window []*restoring) (chunks []archive.Chunk, uses []use) {
	for _, f := range window {
		offset := int64(0)
		for i, c := range f.node.Chunks {
			if f.have == nil || !f.have[i] && f.failed == nil {
				chunks = append(chunks, c)
				uses = append(uses, use{f, offset})
			}
			offset += int64(c.Length)
		}
	}
	return chunks, uses
}

// fill writes the chunks that files lack. A chunk that no place gives fails its file alone.
func (r *restore) fill(ctx context.Context, window []*restoring) error {
	chunks, uses := wanted(window)
	missing, err := r.fetch.Each(ctx, chunks, func(i int, data []byte) error {
		u := uses[i]
		if chunks[i].IsHole() {
			r.o.Progress.BytesDone.Add(uint64(chunks[i].Length))
		}
		return r.done(ctx, u.file, r.write(ctx, u.file, u.offset, data))
	})
	if err != nil {
		return err
	}
	for _, m := range missing {
		if err := r.done(ctx, uses[m.Index].file, m.Err); err != nil {
			return err
		}
	}
	return nil
}

// done handles the outcome of a step: the first failure of a file is told, and the file dropped.
func (r *restore) done(ctx context.Context, f *restoring, err error) error {
	if err == nil {
		return nil
	}
	f.mu.Lock()
	first := f.failed == nil
	f.failed = err
	if f.file != nil {
		f.file.Abort()
		f.file = nil
	}
	f.mu.Unlock()
	if !first {
		return nil
	}
	return r.problem(f.node.Path, err)
}

// write puts one chunk into its file, and completes the file with its last.
func (r *restore) write(ctx context.Context, f *restoring, offset int64, data []byte) error {
	if err := r.put(ctx, f, offset, data); err != nil {
		return err
	}
	f.mu.Lock()
	f.left--
	last := f.left == 0
	f.mu.Unlock()
	if !last {
		return nil
	}
	return r.commit(ctx, f)
}

// put writes data into a file that has not failed.
func (r *restore) put(ctx context.Context, f *restoring, offset int64, data []byte) error {
	file, err := r.open(ctx, f)
	if file == nil || err != nil {
		return err
	}
	r.o.Progress.BytesDone.Add(uint64(len(data)))
	if r.o.Sparse && f.node.Extents == nil && !r.traits.Sequential {
		return writeNonzero(file, data, offset)
	}
	return writeData(file, data, offset, f.node.Extents)
}

// holeSize is how many bytes of zeros, at a multiple of as many, are worth a hole.
const holeSize = 4096

// writeNonzero writes data at offset, but not the blocks of it that are zero.
func writeNonzero(f target.File, data []byte, offset int64) error {
	for len(data) > 0 {
		n := 0 // bytes up to the next hole
		for n < len(data) && !beginsHole(data[n:], offset+int64(n)) {
			n += min(len(data)-n, int(holeSize-(offset+int64(n))%holeSize))
		}
		if n > 0 {
			if _, err := f.WriteAt(data[:n], offset); err != nil {
				return err
			}
		} else {
			n = holeSize
		}
		data, offset = data[n:], offset+int64(n)
	}
	return nil
}

func beginsHole(data []byte, offset int64) bool {
	return offset%holeSize == 0 && len(data) >= holeSize && bytes.Equal(data[:holeSize], zeros[:holeSize])
}

// open returns the file that f is written to; nil if f has failed already.
func (r *restore) open(ctx context.Context, f *restoring) (target.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil || f.file != nil {
		return f.file, nil
	}
	file, err := r.target.Create(ctx, &f.node.Entry)
	f.file = file
	return file, err
}

// commit gives a file whose content is there its name.
func (r *restore) commit(ctx context.Context, f *restoring) error {
	file, err := r.open(ctx, f)
	if file == nil || err != nil {
		return err
	}
	if err := file.Commit(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	f.file = nil
	f.mu.Unlock()
	if r.o.Verify {
		if err := r.verify(ctx, f.node); err != nil {
			return err
		}
	}
	r.o.Progress.FilesDone.Add(1)
	r.o.Progress.SetCurrent(f.node.Path)
	r.count(ActionRestore, &f.node.Entry)
	return nil
}

// writeData writes data at offset, but leaves holes what the extents of a sparse file leave out.
// nil extents: all is data.
func writeData(f target.File, data []byte, offset int64, extents []entry.Extent) error {
	if extents == nil {
		_, err := f.WriteAt(data, offset)
		return err
	}
	end := offset + int64(len(data))
	for _, x := range extents {
		from, to := max(offset, x.Offset), min(end, x.Offset+x.Length)
		if from >= to {
			continue
		}
		if _, err := f.WriteAt(data[from-offset:to-offset], from); err != nil {
			return err
		}
	}
	return nil
}

// writeInOrder writes files from start to end, as targets need that are streams, several at once.
func (r *restore) writeInOrder(ctx context.Context, window []*restoring) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, r.traits.Parallel))
	ahead := r.fetch.Ahead(gctx)
	defer ahead.Close()
	lists := make([][]archive.Chunk, len(window))
	for i, f := range window {
		lists[i] = f.node.Chunks
	}
	for i, content := range ahead.Add(lists...) {
		f := window[i]
		g.Go(func() error { return r.done(gctx, f, r.stream(gctx, f, content)) })
	}
	return dropUnlessDone(window, g.Wait())
}

func (r *restore) stream(ctx context.Context, f *restoring, content *fetch.Content) error {
	defer content.Close()
	offset := int64(0)
	for data, err := range content.All() {
		if err != nil {
			return err
		}
		if err := r.put(ctx, f, offset, data); err != nil {
			return err
		}
		offset += int64(len(data))
	}
	return r.commit(ctx, f)
}

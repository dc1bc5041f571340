package restore

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/pipeline/target"
)

const (
	reuseFrom   = 4 << 20  // the size from which on a file that is there is looked at before its content is fetched
	reuseAtOnce = 64       // such files that are under way together, each of which is open
	reusePiece  = 16 << 20 // what one worker takes of one
)

// writeAround writes files in any order. Of large ones that are there already with other content,
// only what differs is fetched.
func (r *restore) writeAround(ctx context.Context, window []*restoring) error {
	partly, anew := r.partlyThere(ctx, window)
	for batch := range slices.Chunk(partly, reuseAtOnce) {
		if err := dropUnlessDone(batch, r.reuse(ctx, batch)); err != nil {
			return err
		}
		if err := r.writeByPack(ctx, batch); err != nil {
			return err
		}
	}
	return r.writeByPack(ctx, anew)
}

// partlyThere divides files into those of which the target has something that is worth a look, and
// the others.
func (r *restore) partlyThere(ctx context.Context, window []*restoring) (partly, anew []*restoring) {
	if !r.traits.Near || r.fetch.IDs == nil {
		return nil, window
	}
	for _, f := range window {
		if f.node.Size >= reuseFrom && len(f.node.Chunks) > 1 && r.isThere(ctx, f.node.Path) {
			partly = append(partly, f)
		} else {
			anew = append(anew, f)
		}
	}
	return partly, anew
}

func (r *restore) isThere(ctx context.Context, path string) bool {
	old, err := r.target.Open(ctx, path)
	if old == nil || err != nil {
		return false
	}
	old.Close()
	return true
}

// reuse copies the chunks that the target has at their place into the new files. The old ones stay
// as they are until the new are whole.
func (r *restore) reuse(ctx context.Context, batch []*restoring) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.parallel())
	for _, f := range batch {
		old, err := r.target.Open(ctx, f.node.Path)
		if old == nil || err != nil {
			continue // then all of it is fetched
		}
		defer old.Close()
		f.have = make([]bool, len(f.node.Chunks))
		eachPiece(f.node.Chunks, func(first, end int, offset int64) {
			g.Go(func() error { return r.done(gctx, f, r.reusePiece(gctx, f, old, first, end, offset)) })
		})
	}
	return g.Wait()
}

// eachPiece divides chunks into pieces of about reusePiece and tells where in the file each begins.
func eachPiece(chunks []archive.Chunk, do func(first, end int, offset int64)) {
	for first, offset := 0, int64(0); first < len(chunks); {
		end := first + chunksWithin(chunks[first:], reusePiece)
		do(first, end, offset)
		for _, c := range chunks[first:end] {
			offset += int64(c.Length)
		}
		first = end
	}
}

// chunksWithin is how many chunks come to about limit bytes, one at least.
func chunksWithin(chunks []archive.Chunk, limit int) int {
	size := 0
	for i, c := range chunks {
		size += int(c.Length)
		if size > limit && i > 0 {
			return i
		}
	}
	return len(chunks)
}

var reuseBuffers = sync.Pool{New: func() any { return new([]byte) }}

// reusePiece copies those of the chunks from first to end that the old file has. What it cannot
// read is fetched.
func (r *restore) reusePiece(ctx context.Context, f *restoring, old target.ReadAtCloser, first, end int, offset int64) error {
	buffer := reuseBuffers.Get().(*[]byte)
	defer reuseBuffers.Put(buffer)
	for i, c := range f.node.Chunks[first:end] {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if data, ok := r.readChunk(old, c, offset, buffer); ok {
			f.have[first+i] = true
			if err := r.write(ctx, f, offset, data); err != nil {
				return err
			}
			r.countReused(len(data))
		}
		offset += int64(c.Length)
	}
	return nil
}

// readChunk returns what old has at offset, in buffer, if that is the chunk c.
func (r *restore) readChunk(old target.ReadAtCloser, c archive.Chunk, offset int64, buffer *[]byte) ([]byte, bool) {
	if c.IsHole() || c.Length > archive.MaxChunk {
		return nil, false
	}
	*buffer = slices.Grow((*buffer)[:0], int(c.Length))[:c.Length]
	n, _ := old.ReadAt(*buffer, offset)
	return *buffer, n == len(*buffer) && archive.ID(r.fetch.IDs.Sum(*buffer)) == c.ID
}

func (r *restore) countReused(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Reused += uint64(n)
}

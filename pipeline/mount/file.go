package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// errLost says that a chunk was not delivered, without a reason.
var errLost = errors.New("its content did not come")

// file reads one file at any offset, and requests content ahead of a sequential reader. It is safe
// for concurrent use.
type file struct {
	from   *contents
	chunks []archive.Chunk
	ends   []int64 // of the chunks, bytes from the start

	mu     sync.Mutex
	next   int64 // where the last read ended
	window int64 // how far ahead of it content is asked for; 0 after a jump
	asked  int   // chunks before this one are asked for
}

func newFile(from *contents, n *tree.Node) *file {
	f := &file{from: from, chunks: n.Chunks, ends: make([]int64, len(n.Chunks)), window: smallestWindow}
	end := int64(0)
	for i := range n.Chunks {
		end += int64(n.Chunks[i].Length)
		f.ends[i] = end
	}
	from.join(1)
	return f
}

func (f *file) close() { f.from.join(-1) }

// at returns the index of the chunk at an offset.
func (f *file) at(offset int64) int {
	return sort.Search(len(f.ends), func(i int) bool { return f.ends[i] > offset })
}

// read fills p from an offset on. It reads less only at the end of the file.
func (f *file) read(ctx context.Context, p []byte, offset int64) (n int, err error) {
	first := f.at(offset)
	if first == len(f.chunks) {
		return 0, nil
	}
	last := min(f.at(offset+int64(len(p))-1)+1, len(f.chunks))
	needed := f.from.want(f.chunks[first:last])
	f.lookAhead(offset, int64(len(p)), last)
	for i, h := range needed {
		start := f.ends[first+i] - int64(f.chunks[first+i].Length)
		from, to := max(offset, start)-start, min(offset+int64(len(p)), f.ends[first+i])-start
		if h == nil {
			clear(p[n : n+int(to-from)])
			n += int(to - from)
			continue
		}
		data, err := h.get(ctx)
		if err == nil && len(data) != int(f.chunks[first+i].Length) {
			err = fmt.Errorf("chunk %s has %d bytes, of which the snapshot says %d: %w", f.chunks[first+i].ID, len(data), f.chunks[first+i].Length, archive.ErrDamaged)
		}
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[from:to])
	}
	return n, nil
}

// lookAhead requests what a sequential reader will need next: each time that half of what was
// requested is left, twice as much as before.
func (f *file) lookAhead(offset, length int64, last int) {
	most := f.from.window()
	f.mu.Lock()
	defer f.mu.Unlock()
	if offset > f.next+most || offset+length+most < f.next {
		f.window, f.asked = 0, last
	}
	f.next = max(f.next, offset+length)
	if f.window == 0 {
		f.next, f.window = offset+length, length
		return
	}
	f.asked = max(f.asked, last)
	if f.asked < len(f.ends) && f.asked > 0 && f.ends[f.asked-1]-f.next > f.window/2 {
		return
	}
	f.window = min(2*f.window, most)
	to := min(f.at(f.next+f.window)+1, len(f.chunks))
	if to > f.asked {
		f.from.want(f.chunks[f.asked:to])
		f.asked = to
	}
}

// get waits for a chunk.
func (h *held) get(ctx context.Context) ([]byte, error) {
	select {
	case <-h.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if h.data == nil && h.err == nil {
		return nil, errLost
	}
	return h.data, h.err
}

// seekData returns where data begins at or after an offset of a file, and seekHole where a hole
// does. They return io.EOF after the last.
func seekData(n *entry.Entry, offset int64) (int64, error) {
	if n.Extents == nil && offset < n.Size {
		return offset, nil
	}
	for _, e := range n.Extents {
		if offset < e.Offset+e.Length {
			return max(offset, e.Offset), nil
		}
	}
	return 0, io.EOF
}

func seekHole(n *entry.Entry, offset int64) (int64, error) {
	if offset >= n.Size {
		return 0, io.EOF
	}
	if n.Extents == nil {
		return n.Size, nil
	}
	for _, e := range n.Extents {
		if offset >= e.Offset && offset < e.Offset+e.Length {
			offset = e.Offset + e.Length
		}
	}
	return min(offset, n.Size), nil
}

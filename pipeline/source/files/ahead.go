package files

import (
	"context"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/ahead"
	"github.com/packstone/packstone/pipeline/local"
)

const (
	// blockSize is the number of names that one task examines.
	blockSize = 128
	// aheadLimit is roughly how many entries may be known before they are visited. They take a few
	// MiB.
	aheadLimit = 8 << 10
)

// folder is a directory being walked.
type folder struct {
	path    string
	device  uint64
	branch  *branch // what was named at and below it, if anything
	all     bool    // everything in it, not only what was named
	empty   bool    // nothing in it, not even something excluded
	marked  bool    // a marker leaves out what is in it
	weight  int     // what its listing counts among what is held
	listing local.Listing
}

// task examines a block of the names in one directory. The first task of a directory also lists it.
type task = ahead.Task[block]

type block struct {
	folder *folder
	from   int

	items []item
	err   error // the directory could not be listed
	next  *task // the next block
}

// item is one entry that was found.
type item struct {
	entry *entry.Entry
	err   error        // could not be examined; the entry has its path only
	left  entry.Reason // left out; the entry has its path only
	fatal bool
	below *task // if it is a directory to walk
}

// walk is the state that workers and visitor share.
type walk struct {
	source *Source
	queue  *ahead.Queue[block]
}

func newWalk(s *Source) *walk {
	w := &walk{source: s}
	w.queue = ahead.New(aheadLimit, blockSize, func(ctx context.Context, t *task) int {
		b := &t.Value
		s.run(ctx, w, b)
		if b.from > 0 {
			return len(b.items)
		}
		return len(b.items) + b.folder.weight
	})
	return w
}

// add queues a task. path is where it begins.
func (w *walk) add(f *folder, from int, path string) *task {
	return w.queue.Add(path, block{folder: f, from: from})
}

// leave moves on to the next block of a directory; at.task is nil after the last.
func (w *walk) leave(at *frame) {
	w.free(at)
	b := &at.task.Value
	if b.next == nil {
		w.queue.Release(b.folder.weight)
	}
	*at = frame{task: b.next}
}

// free subtracts visited items from those that are held.
func (w *walk) free(at *frame) {
	w.queue.Release(at.next - at.freed)
	at.freed = at.next
}

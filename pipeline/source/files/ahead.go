package files

import (
	"container/heap"
	"context"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
)

const (
	// blockSize is the number of names that one task examines.
	blockSize = 128
	// aheadLimit is about how many entries may be known before they are visited, a few MiB.
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

// task is to examine a block of the names in one directory; the first one lists the directory too.
type task struct {
	folder *folder
	from   int
	key    string // the path that it begins with: the least is needed first
	at     int    // in the queue
	state  state

	items []item
	err   error // the directory could not be listed
	next  *task // the next block
}

type state uint8

const (
	queued state = iota
	running
	done
)

// item is one thing found.
type item struct {
	entry *entry.Entry
	err   error        // could not be examined; the entry has its path only
	left  entry.Reason // left out; the entry has its path only
	fatal bool
	below *task // if it is a directory to walk
}

// walk is what workers and visitor share.
type walk struct {
	source *Source

	mu       sync.Mutex
	wanted   *task     // that the visitor waits for
	ready    sync.Cond // wanted is done
	todo     sync.Cond // there may be a task to begin
	queue    queue
	held     int // entries found, or being looked for, that were not visited yet
	idle     int
	finished bool
}

func newWalk(s *Source) *walk {
	w := &walk{source: s}
	w.ready.L, w.todo.L = &w.mu, &w.mu
	return w
}

// add queues a task.
func (w *walk) add(f *folder, from int, key string) *task {
	t := &task{folder: f, from: from, key: key}
	w.mu.Lock()
	defer w.mu.Unlock()
	heap.Push(&w.queue, t)
	if w.idle > 0 {
		w.todo.Signal()
	}
	return t
}

// work runs tasks until the walk ends, those needed first before others.
func (w *walk) work(ctx context.Context) {
	for {
		t := w.take()
		if t == nil {
			return
		}
		w.source.run(ctx, w, t)
		w.finish(t)
	}
}

func (w *walk) take() *task {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.finished && (len(w.queue) == 0 || w.held >= aheadLimit) {
		w.idle++
		w.todo.Wait()
		w.idle--
	}
	if w.finished {
		return nil
	}
	t := heap.Pop(&w.queue).(*task)
	t.state = running
	w.hold(blockSize)
	return t
}

// hold counts n more entries, or fewer; the caller has locked w. When there is room again, workers go on.
func (w *walk) hold(n int) {
	full := w.held >= aheadLimit
	w.held += n
	if full && w.held < aheadLimit && w.idle > 0 {
		w.todo.Broadcast()
	}
}

// finish counts what t has found instead of what it might have found.
func (w *walk) finish(t *task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold(len(t.items) - blockSize)
	if t.from == 0 {
		w.hold(t.folder.weight)
	}
	t.state = done
	if w.wanted == t {
		w.ready.Signal()
	}
}

// await returns when t is done or ctx is. What nobody has begun does not wait for the workers; it runs beside the visitor, since it may
// hang.
func (w *walk) await(ctx context.Context, t *task) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.state == queued {
		heap.Remove(&w.queue, t.at)
		t.state = running
		w.hold(blockSize)
		go func() {
			w.source.run(ctx, w, t)
			w.finish(t)
		}()
	}
	w.wanted = t
	for t.state != done && ctx.Err() == nil {
		w.ready.Wait()
	}
	w.wanted = nil
	if t.state != done {
		return context.Cause(ctx)
	}
	return nil
}

// wake lets the visitor see that the context has ended.
func (w *walk) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready.Signal()
}

// leave goes on to the next block of a directory; at.task is nil after the last.
func (w *walk) leave(at *frame) {
	w.free(at)
	if at.task.next == nil {
		w.release(at.task.folder.weight)
	}
	*at = frame{task: at.task.next}
}

// free stops counting what was visited.
func (w *walk) free(at *frame) {
	w.release(at.next - at.freed)
	at.freed = at.next
}

func (w *walk) release(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold(-n)
}

// end makes the workers return.
func (w *walk) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	w.todo.Broadcast()
}

// queue is a heap of tasks by key.
type queue []*task

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return entry.ComparePaths(q[i].key, q[j].key) < 0 }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	t := x.(*task)
	t.at = len(*q)
	*q = append(*q, t)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}

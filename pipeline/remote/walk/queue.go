package walk

import (
	"container/heap"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
)

// task is to list one directory.
type task struct {
	path  string
	above *task
	key   string
	at    int // in the heap
	state state

	items    []item
	problems []Problem
	err      error
}

type state uint8

const (
	queued state = iota
	running
	done
)

// item is one thing found; below is the task of a directory to go into.
type item struct {
	entry *entry.Entry
	err   error
	below *task
}

// queue holds the directories to list, those needed first before others.
type queue struct {
	limit int

	mu       sync.Mutex
	ready    sync.Cond // a task is done
	todo     sync.Cond // there may be a task to begin
	tasks    tasks
	held     int // entries found and not visited yet
	finished bool
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit}
	q.ready.L, q.todo.L = &q.mu, &q.mu
	return q
}

func (q *queue) add(path string, above *task, key string) *task {
	t := &task{path: path, above: above, key: key}
	q.mu.Lock()
	defer q.mu.Unlock()
	heap.Push(&q.tasks, t)
	q.todo.Signal()
	return t
}

// start lets workers run tasks; the function that it returns waits for them.
func (q *queue) start(workers int, run func(*task)) func() {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for t := q.take(); t != nil; t = q.take() {
				run(t)
				q.finish(t)
			}
		})
	}
	return group.Wait
}

// take returns nil when the walk is over.
func (q *queue) take() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.finished && (len(q.tasks) == 0 || q.held >= q.limit) {
		q.todo.Wait()
	}
	if q.finished {
		return nil
	}
	t := heap.Pop(&q.tasks).(*task)
	t.state = running
	return t
}

func (q *queue) finish(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held += len(t.items)
	t.state = done
	q.ready.Broadcast()
}

// await returns when t is done. What nobody has begun is run here, so that the visitor never waits for workers who may not
// go further ahead.
func (q *queue) await(t *task, run func()) {
	q.mu.Lock()
	if t.state == queued {
		heap.Remove(&q.tasks, t.at)
		t.state = running
		q.mu.Unlock()
		run()
		q.finish(t)
		return
	}
	for t.state != done {
		q.ready.Wait()
	}
	q.mu.Unlock()
}

func (q *queue) release(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held -= n
	if q.held < q.limit {
		q.todo.Broadcast()
	}
}

func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finished = true
	q.todo.Broadcast()
}

// tasks is a heap by path.
type tasks []*task

// Len implements heap.Interface.
func (h tasks) Len() int { return len(h) }

// Less implements heap.Interface.
func (h tasks) Less(i, j int) bool { return entry.ComparePaths(h[i].path, h[j].path) < 0 }

// Swap implements heap.Interface.
func (h tasks) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *tasks) Push(x any) {
	t := x.(*task)
	t.at = len(*h)
	*h = append(*h, t)
}

// Pop implements heap.Interface.
func (h *tasks) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}

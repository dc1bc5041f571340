// Package ahead works off tasks in an order, such as that of a walk: several workers at once, those
// first that are needed first, and not further ahead of the one who takes the results than a limit,
// so that memory does not grow with what is walked. It relies on results being taken in the order
// of the keys of their tasks.
package ahead

import (
	"container/heap"
	"context"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
)

// Task is something to do, which may hang.
type Task[T any] struct {
	Value T
	key   string
	at    int // in the heap
	state state
}

type state uint8

const (
	queued state = iota
	running
	done
)

// Queue holds tasks, and counts what they have found that nobody has taken yet. Await is for one
// goroutine; the other methods may be called by several, the tasks themselves among them.
type Queue[T any] struct {
	limit, guess int
	run          func(ctx context.Context, t *Task[T]) int

	group    sync.WaitGroup // of what runs tasks
	mu       sync.Mutex
	wanted   *Task[T]  // that Await waits for
	ready    sync.Cond // wanted is done
	todo     sync.Cond // there may be a task to begin
	tasks    tasks[T]
	held     int // found, or being looked for, and not released
	idle     int
	finished bool
}

// New makes a queue. run does a task and returns how much it has found; until then that counts as
// guess. No task is begun while limit or more is held, unless it is waited for.
func New[T any](limit, guess int, run func(ctx context.Context, t *Task[T]) int) *Queue[T] {
	q := &Queue[T]{limit: limit, guess: guess, run: run}
	q.ready.L, q.todo.L = &q.mu, &q.mu
	return q
}

// Add queues a task. Key is a path: the least, as entry.ComparePaths has it, is needed first.
func (q *Queue[T]) Add(key string, value T) *Task[T] {
	t := &Task[T]{Value: value, key: key}
	q.mu.Lock()
	defer q.mu.Unlock()
	heap.Push(&q.tasks, t)
	if q.idle > 0 {
		q.todo.Signal()
	}
	return t
}

// Start lets workers run tasks until End is called. The function that it returns waits for all
// tasks that were begun.
func (q *Queue[T]) Start(ctx context.Context, workers int) (wait func()) {
	for range workers {
		q.group.Go(func() {
			for t := q.take(); t != nil; t = q.take() {
				q.finish(t, q.run(ctx, t))
			}
		})
	}
	stop := context.AfterFunc(ctx, q.wake)
	return func() { stop(); q.group.Wait() }
}

// take returns nil when it is over.
func (q *Queue[T]) take() *Task[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.finished && (len(q.tasks) == 0 || q.held >= q.limit) {
		q.idle++
		q.todo.Wait()
		q.idle--
	}
	if q.finished {
		return nil
	}
	t := heap.Pop(&q.tasks).(*Task[T])
	t.state = running
	q.hold(q.guess)
	return t
}

// hold counts n more, or fewer. It needs the lock. When there is room again, workers go on.
func (q *Queue[T]) hold(n int) {
	full := q.held >= q.limit
	q.held += n
	if full && q.held < q.limit && q.idle > 0 {
		q.todo.Broadcast()
	}
}

// finish counts what t has found instead of what it might have found.
func (q *Queue[T]) finish(t *Task[T], found int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hold(found - q.guess)
	t.state = done
	if q.wanted == t {
		q.ready.Signal()
	}
}

// Await returns when t is done, or ctx is, which is Start's. What nobody has begun does not wait
// for the workers, who may be at the limit; it runs beside the caller, since it may hang.
func (q *Queue[T]) Await(ctx context.Context, t *Task[T]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state == queued {
		heap.Remove(&q.tasks, t.at)
		t.state = running
		q.hold(q.guess)
		q.group.Go(func() { q.finish(t, q.run(ctx, t)) })
	}
	q.wanted = t
	for t.state != done && ctx.Err() == nil {
		q.ready.Wait()
	}
	q.wanted = nil
	if t.state != done {
		return context.Cause(ctx)
	}
	return nil
}

// wake lets Await see that its context has ended.
func (q *Queue[T]) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready.Signal()
}

// Release says that so much of what was found is no longer held.
func (q *Queue[T]) Release(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hold(-n)
}

// Held is how much is held now.
func (q *Queue[T]) Held() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}

// End makes the workers return when they are done with what they are at.
func (q *Queue[T]) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finished = true
	q.todo.Broadcast()
}

// tasks is a heap by key.
type tasks[T any] []*Task[T]

// Len implements heap.Interface.
func (h tasks[T]) Len() int { return len(h) }

// Less implements heap.Interface.
func (h tasks[T]) Less(i, j int) bool { return entry.ComparePaths(h[i].key, h[j].key) < 0 }

// Swap implements heap.Interface.
func (h tasks[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *tasks[T]) Push(x any) {
	t := x.(*Task[T])
	t.at = len(*h)
	*h = append(*h, t)
}

// Pop implements heap.Interface.
func (h *tasks[T]) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}

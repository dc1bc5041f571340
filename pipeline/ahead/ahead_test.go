package ahead_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/packstone/packstone/pipeline/ahead"
)

func TestWhatIsWaitedForIsDoneAndNoMoreThanTheLimitIsHeld(t *testing.T) {
	const limit, found = 20, 5
	var begun atomic.Int32
	q := ahead.New(limit, found, func(context.Context, *ahead.Task[string]) int { begun.Add(1); return found })
	var tasks []*ahead.Task[string]
	for i := range 30 {
		name := fmt.Sprintf("%02d", (i*7)%30)
		tasks = append(tasks, q.Add(name, name))
	}
	wait := q.Start(t.Context(), 1)
	for i := range 30 {
		for _, task := range tasks {
			if task.Value != fmt.Sprintf("%02d", i) {
				continue
			}
			if err := q.Await(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			if held := q.Held(); held > limit+2*found {
				t.Errorf("%d are held, want at most %d", held, limit+2*found)
			}
			q.Release(found)
		}
	}
	q.End()
	wait()
	if q.Held() != 0 || begun.Load() != 30 {
		t.Errorf("%d are held after all, %d tasks were done", q.Held(), begun.Load())
	}
}

func TestWhoeverWaitsIsFreeWhenTheContextEndsThoughATaskHangs(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop, began := errors.New("stop"), make(chan struct{})
	release := make(chan struct{})
	var done atomic.Bool
	q := ahead.New(10, 1, func(context.Context, *ahead.Task[int]) int { close(began); <-release; done.Store(true); return 0 })
	task := q.Add("a", 1)
	wait := q.Start(ctx, 0)
	go func() { <-began; cancel(stop) }()
	if err := q.Await(ctx, task); !errors.Is(err, stop) {
		t.Errorf("got %v, want the cause", err)
	}
	close(release)
	q.End()
	wait()
	if !done.Load() {
		t.Error("the task was not waited for")
	}
}

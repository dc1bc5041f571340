package archive

import (
	"context"
	"sync"
)

// underway counts calls, so that others can wait for those that began before them. The zero value
// is ready. begin is safe for concurrent use; wait is for one caller at a time.
type underway struct {
	mu    sync.Mutex
	calls *sync.WaitGroup
}

// begin counts a call; the caller calls Done at its end.
func (u *underway) begin() *sync.WaitGroup {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls = &sync.WaitGroup{}
	}
	u.calls.Add(1)
	return u.calls
}

// wait waits for the calls that have begun, and not for those that begin meanwhile.
func (u *underway) wait(ctx context.Context) error {
	u.mu.Lock()
	calls := u.calls
	u.calls = nil
	u.mu.Unlock()
	if calls == nil {
		return nil
	}
	ended := make(chan struct{})
	go func() {
		calls.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

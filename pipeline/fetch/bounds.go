package fetch

import (
	"context"
	"sync"
)

const (
	nearConnections = 4       // spans that wait for a storage which is near
	smallestSpan    = 1 << 20 // of a storage that is far
	largestSpan     = 4 << 20
	spanTime        = 0.1 // seconds that a connection should be busy with a span
)

// connections returns how many requests may be in flight now.
func (f *Fetcher) connections() int {
	if f.o.Connections == nil {
		return nearConnections
	}
	return f.o.Connections.Limit()
}

// spanBytes returns how many bytes one request fetches. They are few if connections are slow, so
// that more connections share a pack.
func (f *Fetcher) spanBytes() int {
	most := min(f.o.Memory/int64(f.connections()), largestSpan)
	return int(min(max(f.worthwhile(), smallestSpan), max(most, largestSpan/16)))
}

// worthwhile returns how many bytes a connection moves in spanTime.
func (f *Fetcher) worthwhile() int64 {
	if f.o.Connections == nil {
		return f.o.Memory
	}
	if speed := f.o.Connections.Speed(); speed > 0 {
		return int64(speed * spanTime)
	}
	return largestSpan
}

// atOnce returns how many spans are in progress: some wait for the network, the others for a
// processor.
func (f *Fetcher) atOnce() int {
	return max(2, min(f.connections()+f.o.Workers, int(f.o.Memory/int64(f.spanBytes()))))
}

// slots is a semaphore.
type slots chan struct{}

func (s slots) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s slots) give() { <-s }

// crew counts the spans in progress.
type crew struct {
	mu   sync.Mutex
	left sync.Cond
	busy int
}

// enter waits until fewer than most() are in progress, and adds one.
func (c *crew) enter(most func() int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left.L = &c.mu
	for c.busy >= most() {
		c.left.Wait()
	}
	c.busy++
}

func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	c.left.Signal()
}

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

// connections is how many requests may be in flight now.
func (f *Fetcher) connections() int {
	if f.o.Connections == nil {
		return nearConnections
	}
	return f.o.Connections.Limit()
}

// spanBytes is how much one request fetches. Where connections are slow, it is little, and more of
// them share a pack.
func (f *Fetcher) spanBytes() int {
	most := min(f.o.Memory/int64(f.connections()), largestSpan)
	return int(min(max(f.worthwhile(), smallestSpan), max(most, largestSpan/16)))
}

// worthwhile is how many bytes a connection moves in the time that a span should take.
func (f *Fetcher) worthwhile() int64 {
	if f.o.Connections == nil {
		return f.o.Memory
	}
	if speed := f.o.Connections.Speed(); speed > 0 {
		return int64(speed * spanTime)
	}
	return largestSpan
}

// atOnce is how many spans are under way: some wait for the network, the others for a processor.
func (f *Fetcher) atOnce() int {
	return max(2, min(f.connections()+f.o.Workers, int(f.o.Memory/int64(f.spanBytes()))))
}

// slots are what few may have at once.
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

// crew counts who is under way.
type crew struct {
	mu   sync.Mutex
	left sync.Cond
	busy int
}

// enter waits until fewer are under way than most says at that time.
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

package mount

import (
	"bytes"
	"container/list"
	"context"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/pipeline/fetch"
)

const (
	defaultMemory  = 32 << 20
	requestsAtOnce = 2 // of content; each has several spans under way
	smallestWindow = 512 << 10
	largestWindow  = 8 << 20
)

// contents caches chunks of one domain: chunks that were read, and chunks that will probably be. It
// is safe for concurrent use.
type contents struct {
	ctx      context.Context
	fetcher  *fetch.Fetcher
	most     int64
	slots    chan struct{}
	underway sync.WaitGroup

	mu      sync.Mutex
	held    map[archive.ID]*held
	recent  *list.List // of held, what was wanted last first
	size    int64
	readers int
}

// held is a chunk in the cache, or one that is being fetched.
type held struct {
	id      archive.ID
	size    int64
	at      *list.Element
	done    chan struct{} // closed when data or err is there
	settled bool          // under the lock of contents
	data    []byte
	err     error
}

func newContents(ctx context.Context, f *fetch.Fetcher, most int64) *contents {
	return &contents{ctx: ctx, fetcher: f, most: most, slots: make(chan struct{}, requestsAtOnce), held: map[archive.ID]*held{}, recent: list.New()}
}

// wait waits until nothing is being fetched.
func (c *contents) wait() { c.underway.Wait() }

// join adds n readers. The more there are, the smaller is the window of each.
func (c *contents) join(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers += n
}

// window returns how many bytes of content are requested ahead of a reader, at most.
func (c *contents) window() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(max(c.most/int64(3*max(1, c.readers)), smallestWindow), largestWindow)
}

// has reports whether a chunk is cached, or being fetched.
func (c *contents) has(id archive.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[id] != nil
}

// want requests chunks without waiting for them. The result has nil for holes.
func (c *contents) want(chunks []archive.Chunk) []*held {
	all := make([]*held, len(chunks))
	var missing []archive.Chunk
	var promised []*held
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range chunks {
		if chunks[i].IsHole() {
			continue
		}
		h := c.held[chunks[i].ID]
		if h == nil {
			h = c.promise(&chunks[i])
			missing, promised = append(missing, chunks[i]), append(promised, h)
		}
		c.recent.MoveToFront(h.at)
		all[i] = h
	}
	c.tidy()
	if len(missing) > 0 {
		c.underway.Go(func() { c.bring(missing, promised) })
	}
	return all
}

// promise adds a chunk that will be requested. The caller must hold the lock.
func (c *contents) promise(chunk *archive.Chunk) *held {
	h := &held{id: chunk.ID, size: int64(chunk.Length), done: make(chan struct{})}
	h.at = c.recent.PushFront(h)
	c.held[h.id] = h
	c.size += h.size
	return h
}

// tidy drops the least recently used chunks. The caller must hold the lock.
func (c *contents) tidy() {
	for e := c.recent.Back(); e != nil && c.size > c.most; {
		h := e.Value.(*held)
		e = e.Prev()
		if h.settled {
			c.forget(h)
		}
	}
}

// forget removes a chunk; those who wait for it still get it. The caller must hold the lock.
func (c *contents) forget(h *held) {
	if c.held[h.id] == h {
		delete(c.held, h.id)
		c.recent.Remove(h.at)
		c.size -= h.size
	}
}

// bring fetches chunks.
func (c *contents) bring(want []archive.Chunk, promised []*held) {
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	missing, err := c.fetcher.Each(c.ctx, want, func(i int, data []byte) error {
		c.settle(promised[i], bytes.Clone(data), nil)
		return nil
	})
	for _, m := range missing {
		c.settle(promised[m.Index], nil, m.Err)
	}
	for _, h := range promised {
		c.settle(h, nil, err) // if it is not yet
	}
}

// settle delivers a chunk, or an error. After an error, the next caller that wants the chunk
// requests it again.
func (c *contents) settle(h *held, data []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.settled {
		return
	}
	h.data, h.err, h.settled = data, err, true
	if data == nil {
		c.forget(h)
	}
	close(h.done)
}

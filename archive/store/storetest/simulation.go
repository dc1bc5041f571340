package storetest

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
)

// Simulation is an S3-like bucket in memory, with versions, locks and conditional puts, and any
// number of clients. What becomes of a client's calls, its Weather decides by a seed, so that the
// same calls fare the same the next time.
type Simulation struct {
	Bucket *memory.Bucket

	mu    sync.Mutex
	calls int
	late  []late
	count [mishaps]int
}

// late is a request that is still on its way.
type late struct {
	due int // the number of calls after which it arrives
	do  func()
}

// NewSimulation returns an empty bucket. Its objects are dated by several servers, whose clocks
// are skew apart at most, since now; nil means time.Now.
func NewSimulation(now func() time.Time, skew time.Duration) *Simulation {
	if now == nil {
		now = time.Now
	}
	var puts atomic.Int64
	stamp := func() time.Time { return now().Add(skew * time.Duration(puts.Add(1)%3) / 2) }
	return &Simulation{Bucket: &memory.Bucket{Now: stamp, Rules: store.Protection{Versions: true, Locks: true}}}
}

// Client returns a way to the bucket with a weather of its own.
func (s *Simulation) Client(w Weather) *Client { return &Client{Bucket: s.Bucket, sim: s, weather: w} }

// Calls returns how many calls there were, of all clients, and Mishaps how often each of them
// happened.
func (s *Simulation) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Mishaps returns how often each mishap happened.
func (s *Simulation) Mishaps() map[Mishap]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[Mishap]int{}
	for m, n := range s.count {
		if n > 0 {
			all[Mishap(m)] = n
		}
	}
	return all
}

// Settle does what is still on its way.
func (s *Simulation) Settle() { s.arrive(func(late) bool { return true }) }

// next counts a call, and does what is due by now.
func (s *Simulation) next() {
	s.mu.Lock()
	s.calls++
	now := s.calls
	s.mu.Unlock()
	s.arrive(func(l late) bool { return l.due <= now })
}

func (s *Simulation) arrive(due func(late) bool) {
	s.mu.Lock()
	var now []late
	s.late = slices.DeleteFunc(s.late, func(l late) bool {
		if due(l) {
			now = append(now, l)
			return true
		}
		return false
	})
	s.mu.Unlock()
	for _, l := range now {
		l.do()
	}
}

// note counts a mishap, and puts a request that comes late on its way.
func (s *Simulation) note(m Mishap, after int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[m]++
	if m == Late {
		s.late = append(s.late, late{s.calls + after, do})
	}
}

// Client is one client of a Simulation. Of what the bucket implements besides store.Store, only
// listings of versions, changes of locks and overwriting go wrong.
type Client struct {
	*memory.Bucket
	sim     *Simulation
	weather Weather

	mu     sync.Mutex
	calls  int
	during map[int]func()
}

var (
	_ store.Store      = (*Client)(nil)
	_ store.Locker     = (*Client)(nil)
	_ store.Destroyer  = (*Client)(nil)
	_ store.Overwriter = (*Client)(nil)
)

// During has the client do something else at its n-th call, from 1, before that reaches the bucket
// or before its answer comes back. Set it before that call.
func (c *Client) During(n int, do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.during == nil {
		c.during = map[int]func(){}
	}
	c.during[n] = do
}

// Calls returns how many calls the client has made.
func (c *Client) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// event is what becomes of one call.
type event struct {
	op     Op
	name   string
	mishap Mishap
	r      *rand.Rand
	during func() // what is done meanwhile; nil: nothing
	after  bool   // and before the answer, not the request
}

// begin counts a call, and decides what becomes of it. It fails if nothing reaches the bucket.
func (c *Client) begin(ctx context.Context, op Op, name string) (*event, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s %s: %w", op, name, err)
	}
	c.mu.Lock()
	c.calls++
	n := c.calls
	do := c.during[n]
	delete(c.during, n)
	c.mu.Unlock()
	c.sim.next()
	e := &event{op: op, name: name, during: do}
	if c.weather.Expires > 0 && n >= c.weather.Expires {
		return nil, e.error("ExpiredToken", store.ErrDenied)
	}
	e.mishap, e.r = c.weather.at(n, op)
	e.after = e.r.IntN(2) == 0
	if !e.after {
		e.meanwhile()
	}
	return e, nil
}

func (e *event) meanwhile() {
	if do := e.during; do != nil {
		e.during = nil
		do()
	}
}

func (e *event) error(text string, kind error) error {
	return fmt.Errorf("%s %s: %s: %w", e.op, e.name, text, kind)
}

// write carries out a call that changes the bucket.
func (c *Client) write(ctx context.Context, op Op, name string, do func(ctx context.Context) error) error {
	e, err := c.begin(ctx, op, name)
	if err != nil {
		return err
	}
	if e.mishap != None {
		c.sim.note(e.mishap, 1+e.r.IntN(60), func() { _ = do(context.Background()) })
	}
	if err := e.before(); err != nil {
		return err
	}
	err = do(ctx)
	e.meanwhile()
	if e.mishap == LostAnswer {
		return e.error("time-out after the request was done", store.ErrUnreachable)
	}
	return err
}

// before returns the error of a call that does not reach the bucket now.
func (e *event) before() error {
	switch e.mishap {
	case Refused:
		return e.error([]string{"500", "503", "SlowDown"}[e.r.IntN(3)], store.ErrUnreachable)
	case TimedOut, Late:
		return e.error("time-out", store.ErrUnreachable)
	case Conflict:
		return e.error("409", store.ErrConflict)
	case Garbled:
		return e.error("BadDigest", store.ErrCorrupt)
	}
	return nil
}

// Put implements store.Store.
func (c *Client) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	data = slices.Clone(data) // it may arrive when the caller uses them again
	return c.write(ctx, Put, name, func(ctx context.Context) error { return c.Bucket.Put(ctx, name, data, digest) })
}

// Overwrite implements store.Overwriter.
func (c *Client) Overwrite(ctx context.Context, name string, data []byte) error {
	data = slices.Clone(data)
	return c.write(ctx, Overwrite, name, func(ctx context.Context) error { return c.Bucket.Overwrite(ctx, name, data) })
}

// Delete implements store.Store.
func (c *Client) Delete(ctx context.Context, name string) error {
	return c.write(ctx, Delete, name, func(ctx context.Context) error { return c.Bucket.Delete(ctx, name) })
}

// Extend implements store.Locker.
func (c *Client) Extend(ctx context.Context, name, version string, to store.Lock) error {
	return c.write(ctx, Extend, name, func(ctx context.Context) error { return c.Bucket.Extend(ctx, name, version, to) })
}

// Get implements store.Store.
func (c *Client) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	e, err := c.begin(ctx, Get, name)
	if err != nil {
		return dst, err
	}
	if e.mishap != None {
		c.sim.note(e.mishap, 0, nil)
	}
	if err := e.before(); err != nil {
		return dst, err
	}
	got, err := c.Bucket.Get(ctx, name, offset, length, dst)
	e.meanwhile()
	if err == nil && e.mishap == LostAnswer {
		return dst, e.error("connection reset", store.ErrUnreachable)
	}
	if err != nil {
		return dst, err
	}
	return append(dst, e.spoil(got[len(dst):])...), nil
}

// spoil returns what arrives of a body.
func (e *event) spoil(body []byte) []byte {
	if len(body) == 0 {
		return body
	}
	at := e.r.IntN(len(body))
	switch e.mishap {
	case Truncated:
		return body[:at]
	case Repeated:
		copy(body[at:], slices.Clone(body))
	case Flipped:
		body[at] ^= 1 << e.r.IntN(8)
	}
	return body
}

// List implements store.Store.
func (c *Client) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		listing(ctx, c, List, prefix, c.Bucket.List(ctx, prefix, after), yield)
	}
}

// Versions implements store.Locker.
func (c *Client) Versions(ctx context.Context, prefix, after string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		listing(ctx, c, Versions, prefix, c.Bucket.Versions(ctx, prefix, after), yield)
	}
}

// listing yields what the bucket lists, as it was when the call began: what comes and goes
// meanwhile is not seen.
func listing[T any](ctx context.Context, c *Client, op Op, prefix string, all iter.Seq2[T, error], yield func(T, error) bool) {
	var none T
	e, err := c.begin(ctx, op, prefix)
	if err != nil {
		yield(none, err)
		return
	}
	if e.mishap != None {
		c.sim.note(e.mishap, 0, nil)
	}
	if err := e.before(); err != nil {
		yield(none, err)
		return
	}
	left := -1
	if e.mishap == BrokenOff || e.mishap == LostAnswer {
		left = e.r.IntN(4)
	}
	for item, err := range all {
		e.meanwhile()
		if left == 0 {
			break
		}
		left--
		if !yield(item, err) {
			return
		}
	}
	if e.meanwhile(); e.mishap == BrokenOff || e.mishap == LostAnswer {
		yield(none, e.error("connection reset", store.ErrUnreachable))
	}
}

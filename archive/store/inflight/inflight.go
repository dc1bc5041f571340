// Package inflight bounds the number of requests in flight to one store or server. The bound is
// fixed, or adapted by a controller to how the requests go. Work on processors is bounded
// elsewhere. Callers make each request through Do.
package inflight

import (
	"context"
	"sync"
	"time"
)

// Limiter lets as many requests run at once as its limit allows, in the order in which they ask. It
// is safe for concurrent use.
type Limiter struct {
	begun   time.Time
	refused func(error) bool

	mu         sync.Mutex
	controller *Controller // nil for a fixed limit
	limit      int
	busy       int
	waiting    []chan struct{}
	speed      float64
	counts     Counts
}

// Counts are what a Limiter has seen so far.
type Counts struct {
	Requests, Refused int64
	MostAtOnce        int
	Busy              time.Duration // of all requests together: divided by the time it is how many were in flight
}

// Most is what an adapting limit never exceeds by default.
const Most = 64

// first is the initial limit of an adapting Limiter.
const first = 16

// Fixed makes a limiter that always allows n requests.
func Fixed(n int) *Limiter {
	return &Limiter{begun: time.Now(), limit: max(1, n), refused: func(error) bool { return false }}
}

// Adaptive makes a limiter that adapts to the connection, up to most requests. refused reports
// whether an error comes from a server that is overloaded, or does not answer in time.
func Adaptive(most int, refused func(error) bool) *Limiter {
	c := NewController(first, most)
	return &Limiter{begun: time.Now(), refused: refused, controller: c, limit: c.Limit()}
}

// Limit returns how many requests may be in flight now.
func (l *Limiter) Limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

// Speed returns how many bytes a second one connection has moved lately, with the wait for the
// answer included; 0 if unknown.
func (l *Limiter) Speed() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.speed
}

// Counts returns what was seen so far.
func (l *Limiter) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Do runs a request as soon as the limit allows, and learns from the bytes that it moved and from
// whether it was refused.
func (l *Limiter) Do(ctx context.Context, request func() (bytes int, err error)) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	from := time.Since(l.begun)
	bytes, err := 0, error(context.Canceled) // what a panic leaves
	defer func() { l.end(ctx, from, bytes, err) }()
	bytes, err = request()
	return err
}

func (l *Limiter) begin(ctx context.Context) error {
	l.mu.Lock()
	if l.busy < l.limit && len(l.waiting) == 0 {
		l.enter()
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.waiting {
		if other == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return context.Cause(ctx)
		}
	}
	l.leave() // its turn came at the same time
	return context.Cause(ctx)
}

// enter takes a place. The caller must hold the lock, as for leave.
func (l *Limiter) enter() {
	l.busy++
	l.counts.Requests++
	l.counts.MostAtOnce = max(l.counts.MostAtOnce, l.busy)
}

// leave frees a place, and starts those who wait for one.
func (l *Limiter) leave() {
	l.busy--
	for l.busy < l.limit && len(l.waiting) > 0 {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.enter()
	}
}

// measured is the size in bytes from which a request shows how fast a connection is.
const measured = 256 << 10

func (l *Limiter) end(ctx context.Context, from time.Duration, bytes int, err error) {
	ended := time.Since(l.begun)
	took := ended - from
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.leave()
	l.counts.Busy += took
	refused := err != nil && l.refused(err)
	if refused {
		l.counts.Refused++
	}
	if bytes >= measured && took > 0 {
		l.speed = mixed(l.speed, float64(bytes)/took.Seconds())
	}
	if l.controller == nil || ctx.Err() != nil {
		return
	}
	l.limit = l.controller.Add(Sample{
		Ended: ended, Took: took, Bytes: int64(bytes), Refused: refused,
		Full: l.busy >= l.limit,
	})
}

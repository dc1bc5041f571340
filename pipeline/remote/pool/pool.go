// Package pool holds the connections to one server. It opens them on demand, replaces broken ones,
// and never opens more than the server allows. The protocol defines what a connection is, and which
// errors mean that it is broken.
package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/packstone/packstone/pipeline/remote"
)

// Errors that Dial returns besides those of package remote.
var (
	// ErrTooMany: the server accepts no more connections from us.
	ErrTooMany = errors.New("too many connections")
	// ErrHungUp: the server has accepted a connection and closed it before a session began. It is
	// restarting, or accepts no more connections from us.
	ErrHungUp = errors.New("no session")
)

// Options determine how to connect.
type Options[C comparable] struct {
	Host string // in messages
	// Dial makes a connection. It calls answered as soon as the server has accepted it.
	Dial func(ctx context.Context, answered func()) (C, error)
	// End closes a connection, with everything in progress on it. politely says that nothing is, so
	// that the server may be told.
	End func(c C, politely bool)
	// IsBroken reports whether err means that a connection can no longer be used, or that another
	// one may do better.
	IsBroken func(err error) bool
	// Spoils reports whether c must be closed after err, and IsGone whether the other connections
	// have probably broken with it (default: like IsBroken).
	Spoils func(c C, err error) bool
	IsGone func(err error) bool
	// Most is the largest number of connections. Shared is how many callers one serves at once
	// (default: 1). A further connection is made when all have at least Busy callers (default:
	// Shared).
	Most, Shared, Busy int
	// Patience is how long a server that was reached before may be away before it counts as
	// unreachable.
	Patience time.Duration
}

// Pool is a pool of connections. It is safe for concurrent use.
type Pool[C comparable] struct {
	o Options[C]

	mu       sync.Mutex
	freed    sync.Cond // a place, or room for one
	places   []*place[C]
	limit    int
	refused  time.Time       // when the server bore no further one
	pause    time.Duration   // until the next one is tried
	ended    context.Context // of Close
	end      context.CancelFunc
	answered bool // a connection was accepted at least once
	reached  bool // and became one of ours
	closed   bool
}

// place is a connection, or one that is being made.
type place[C comparable] struct {
	conn  C
	users int
	ready chan struct{} // closed when conn is there, or not to be
	err   error
	again bool // it is not there, for a reason that is none of its users'
}

// New returns a pool without connections.
func New[C comparable](o Options[C]) *Pool[C] {
	o.Most, o.Shared = max(1, o.Most), max(1, o.Shared)
	if o.Busy <= 0 {
		o.Busy = o.Shared
	}
	if o.Spoils == nil {
		o.Spoils = func(_ C, err error) bool { return o.IsBroken(err) }
	}
	if o.IsGone == nil {
		o.IsGone = o.IsBroken
	}
	p := &Pool[C]{o: o, limit: o.Most}
	p.freed.L = &p.mu
	p.ended, p.end = context.WithCancel(context.Background())
	return p
}

// Limit returns how many connections there may be. It shrinks when the server refuses more.
func (p *Pool[C]) Limit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}

// Close closes all unused connections and, with cut, also those in use. Otherwise these are closed
// when they are released.
func (p *Pool[C]) Close(cut bool) {
	p.end()
	p.mu.Lock()
	p.closed = true
	ends := p.takeOut(func(at *place[C]) bool { return at.isReady() && (cut || at.users == 0) })
	p.freed.Broadcast()
	p.mu.Unlock()
	for _, at := range ends {
		p.o.End(at.conn, at.users == 0)
	}
}

func (at *place[C]) isReady() bool {
	select {
	case <-at.ready:
		return at.err == nil && !at.again
	default:
		return false
	}
}

// takeOut removes places. The caller must hold the lock.
func (p *Pool[C]) takeOut(which func(*place[C]) bool) (out []*place[C]) {
	p.places = slices.DeleteFunc(p.places, func(at *place[C]) bool {
		if which(at) {
			out = append(out, at)
			return true
		}
		return false
	})
	return out
}

// attempts is how often an operation is tried whose connections break without any progress.
const attempts = 8

// Attempts returns how often an operation that breaks connections is tried.
func (p *Pool[C]) Attempts() int { return attempts }

// Do calls f with a connection, and again with another one while connections break, so f must be
// repeatable. If they break again and again, the error wraps remote.ErrUnreachable.
func (p *Pool[C]) Do(ctx context.Context, f func(C) error) error { return p.DoHeavy(ctx, 1, f) }

// DoHeavy is Do for an operation that loads a connection as much as weight callers, so that such
// operations are spread over more connections.
func (p *Pool[C]) DoHeavy(ctx context.Context, weight int, f func(C) error) error {
	var last error
	for range attempts {
		c, err := p.acquire(ctx, weight)
		if err != nil {
			return err
		}
		err = f(c)
		p.release(c, weight, err)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !p.o.IsBroken(err) {
			return err
		}
		last = err
	}
	return p.Lost(last)
}

// Lost returns the error for an operation that has broken its connection too often.
func (p *Pool[C]) Lost(err error) error {
	return fmt.Errorf("%w: %s breaks the connection again and again: %w", remote.ErrUnreachable, p.o.Host, err)
}

// Acquire returns a connection for one more caller, a new one if necessary.
func (p *Pool[C]) Acquire(ctx context.Context) (C, error) { return p.acquire(ctx, 1) }

func (p *Pool[C]) acquire(ctx context.Context, weight int) (C, error) {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.freed.Broadcast()
	})()
	var none C
	for {
		at, dial, err := p.enter(ctx, weight)
		if err != nil {
			return none, err
		}
		if dial {
			p.fill(ctx, at)
		}
		select {
		case <-at.ready:
		case <-ctx.Done():
			p.leave(at, weight)
			return none, context.Cause(ctx)
		}
		switch {
		case at.err == nil && !at.again:
			return at.conn, nil
		case ctx.Err() != nil:
			return none, context.Cause(ctx)
		case !at.again:
			return none, at.err
		}
	}
}

// enter takes a place. If dial is true, the caller must fill it.
func (p *Pool[C]) enter(ctx context.Context, weight int) (_ *place[C], dial bool, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		if p.closed {
			return nil, false, fmt.Errorf("%w: the connections to %s were closed", remote.ErrUnreachable, p.o.Host)
		}
		at := p.idlest((*place[C]).isReady)
		if at != nil && at.users < p.o.Busy {
			at.users += weight
			return at, false, nil
		}
		more := len(p.places) < p.mostNow()
		switch coming := p.idlest(nil); {
		case at != nil && at.users < p.o.Shared:
			if more && coming.users > 0 { // nobody has to wait for it
				go p.fill(p.ended, p.add())
			}
			at.users += weight
			return at, false, nil
		case coming != nil && coming.users < p.o.Busy:
			coming.users += weight
			return coming, false, nil
		case more:
			fresh := p.add()
			fresh.users += weight
			return fresh, true, nil
		case coming != nil && coming.users < p.o.Shared:
			coming.users += weight
			return coming, false, nil
		}
		p.freed.Wait()
	}
}

// add makes a place that must be filled.
func (p *Pool[C]) add() *place[C] {
	fresh := &place[C]{ready: make(chan struct{})}
	p.places = append(p.places, fresh)
	return fresh
}

// idlest returns the place with the fewest callers among those for which so returns true; nil means
// all.
func (p *Pool[C]) idlest(so func(*place[C]) bool) (best *place[C]) {
	for _, at := range p.places {
		if (best == nil || at.users < best.users) && (so == nil || so(at)) {
			best = at
		}
	}
	return best
}

// mostNow returns how many connections may be open. Some time after the server has refused one, it
// allows one more try.
func (p *Pool[C]) mostNow() int {
	if p.limit < p.o.Most && time.Since(p.refused) > p.pause {
		p.limit++
		p.refused = time.Now()
	}
	return p.limit
}

// leave leaves a place before it is filled.
func (p *Pool[C]) leave(at *place[C], weight int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at.users -= weight
	p.freed.Signal()
}

// Release returns a connection after use, with the error that occurred. A spoilt connection is
// closed for all its users. If all connections have broken, the unused ones are closed too.
func (p *Pool[C]) Release(c C, err error) { p.release(c, 1, err) }

func (p *Pool[C]) release(c C, weight int, err error) {
	spoilt, gone := p.o.Spoils(c, err), p.o.IsGone(err)
	p.mu.Lock()
	at := p.placeOf(c)
	ends := []*place[C]{}
	if at != nil {
		at.users -= weight
		ends = p.takeOut(func(other *place[C]) bool {
			return other == at && (spoilt || p.closed && at.users == 0) || gone && other.users == 0 && other.isReady()
		})
	}
	p.freed.Broadcast()
	p.mu.Unlock()
	if at == nil && spoilt { // somebody else has found out before
		p.o.End(c, false)
	}
	for _, at := range ends {
		p.o.End(at.conn, !spoilt && !gone)
	}
}

// placeOf returns the place of a connection, nil if it was closed.
func (p *Pool[C]) placeOf(c C) *place[C] {
	for _, at := range p.places {
		if at.isReady() && at.conn == c {
			return at
		}
	}
	return nil
}

// Drop closes one connection for all its users, each of whom must still release it.
func (p *Pool[C]) Drop(c C) {
	p.mu.Lock()
	p.takeOut(func(at *place[C]) bool { return at.isReady() && at.conn == c })
	p.freed.Broadcast()
	p.mu.Unlock()
	p.o.End(c, false)
}

package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/pipeline/remote"
)

const (
	// greeting is how long a server may be away that has accepted a connection but no session yet:
	// it is restarting, or hangs up, as servers do when too many connections begin at once.
	greeting = 10 * time.Second
	// firstPause is how long to wait before another connection is tried after the server has
	// refused one; it doubles up to mostPause.
	firstPause = 30 * time.Second
	mostPause  = 10 * time.Minute
)

// fill makes the connection of a place, or removes the place.
func (p *Pool[C]) fill(ctx context.Context, at *place[C]) {
	conn, again, err := p.reach(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.freed.Broadcast()
	defer close(at.ready)
	if err == nil && !again && !p.closed {
		at.conn, p.reached = conn, true
		return
	}
	if err == nil && !again {
		go p.o.End(conn, true)
	}
	at.err, at.again = err, again || ctx.Err() != nil || err == nil
	p.takeOut(func(other *place[C]) bool { return other == at })
}

// reach makes a connection. It gives a server that was reached before time to return. again reports
// that the server allows no further connection, and the caller must use another one.
func (p *Pool[C]) reach(ctx context.Context) (_ C, again bool, _ error) {
	var none C
	pause, begun := 50*time.Millisecond, time.Now()
	for {
		c, err := p.o.Dial(ctx, p.answers)
		switch {
		case err == nil:
			return c, false, nil
		case ctx.Err() != nil:
			return none, false, context.Cause(ctx)
		case errors.Is(err, remote.ErrUntrusted):
			return none, false, err
		case crowded(err) && p.shrink():
			return none, true, nil
		case errors.Is(err, remote.ErrDenied), time.Since(begun) > p.patience(err):
			return none, false, accuse(err)
		}
		if !remote.Sleep(ctx, pause) {
			return none, false, context.Cause(ctx)
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// crowded reports whether err may mean that there are too many connections. In that case some
// servers say that the password is wrong, and others hang up.
func crowded(err error) bool {
	return errors.Is(err, ErrTooMany) || errors.Is(err, remote.ErrDenied) || errors.Is(err, ErrHungUp)
}

// accuse treats a failure to connect as one of the server, unless it is known to be another.
func accuse(err error) error {
	if remote.IsFatal(err) {
		return err
	}
	return fmt.Errorf("%w: %w", remote.ErrUnreachable, err)
}

// answers records that the server has accepted a connection.
func (p *Pool[C]) answers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
}

// patience returns how long to retry a server that fails with err.
func (p *Pool[C]) patience(err error) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.reached || errors.Is(err, ErrTooMany):
		return p.o.Patience
	case p.answered:
		return min(p.o.Patience, greeting)
	}
	return 0
}

// shrink lowers the limit to the connections that exist; false if there are none.
func (p *Pool[C]) shrink() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := 0
	for _, at := range p.places {
		if at.isReady() {
			ready++
		}
	}
	if ready == 0 || !p.reached {
		return false
	}
	p.limit = max(1, min(p.limit, len(p.places)-1))
	if time.Since(p.refused) > p.pause { // not one of several that were tried at once
		p.pause = min(max(firstPause, 2*p.pause), mostPause)
	}
	p.refused = time.Now()
	return true
}

package ftp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Server is a pool of connections to one server. Safe for concurrent use.
type Server struct {
	options Options

	mu       sync.Mutex
	freed    sync.Cond // a connection, or room for one
	idle     []*Conn
	open     int // idle and in use
	limit    int
	answered bool // a connection was accepted at least once
	reached  bool // and a login was
	closed   bool

	learned learned
}

// NewServer checks the options. Connections are made when they are needed.
func NewServer(options Options) (*Server, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, limit: options.Connections}
	s.freed.L = &s.mu
	return s, nil
}

// Host names the server in messages.
func (s *Server) Host() string { return s.options.Host }

// Connections is how many may be in use at once, as far as is known: it shrinks when the server refuses more.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit
}

// Close ends the connections that are idle; those in use end when they are given back.
func (s *Server) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.open -= len(idle)
	s.mu.Unlock()
	for _, c := range idle {
		c.quit()
	}
	return nil
}

func (s *Server) soon() time.Time { return time.Now().Add(min(s.options.Timeout, 2*time.Second)) }

// attempts is how often something is tried whose connection breaks, if nothing comes of it.
const attempts = 5

// Do calls f with a connection, and again with another one while connections break. f must bear being repeated. act and
// path say in errors what was done.
func (s *Server) Do(ctx context.Context, act, path string, f func(*Conn) error) error {
	var last error
	for range attempts {
		c, err := s.acquire(ctx)
		if err != nil {
			return err
		}
		err = c.guard(ctx)(f(c))
		s.release(c, err)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !IsBroken(err) {
			return s.translate(act, path, err)
		}
		last = err
	}
	return s.lost(act, path, last)
}

func (s *Server) lost(act, path string, err error) error {
	return fmt.Errorf("%s %s: %w: %s breaks the connection again and again: %w", act, path, ErrUnreachable, s.options.Host, err)
}

// acquire returns a connection that is no one else's, a new one if need be.
func (s *Server) acquire(ctx context.Context) (*Conn, error) {
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.freed.Broadcast()
	})()
	s.mu.Lock()
	for {
		switch {
		case ctx.Err() != nil:
			s.mu.Unlock()
			return nil, context.Cause(ctx)
		case len(s.idle) > 0:
			c := s.idle[len(s.idle)-1]
			s.idle = s.idle[:len(s.idle)-1]
			s.mu.Unlock()
			return c, nil
		case s.open < s.limit:
			s.open++
			s.mu.Unlock()
			c, err := s.reach(ctx)
			if c != nil || err != nil {
				return c, err
			}
			s.mu.Lock()
		default:
			s.freed.Wait()
		}
	}
}

// greeting is how long a server may be away that has accepted a connection but no login yet: it is being started again, or hangs up on us.
const greeting = 10 * time.Second

// reach makes a connection. A server that was reached before is given time to come back. It returns nothing if
// the server bears no further connection: then one of the others must be waited for.
func (s *Server) reach(ctx context.Context) (*Conn, error) {
	pause, begun := 50*time.Millisecond, time.Now()
	for {
		c, err := s.dial(ctx)
		switch {
		case err == nil:
			s.connected()
			return c, nil
		case ctx.Err() != nil || final(err):
			s.leave()
			return nil, s.accuse(err)
		case (errors.Is(err, errTooMany) || errors.Is(err, ErrDenied)) && s.shrink():
			return nil, nil
		case errors.Is(err, ErrDenied), time.Since(begun) > s.patience(err):
			s.leave()
			return nil, s.accuse(err)
		}
		if !sleep(ctx, pause) {
			s.leave()
			return nil, context.Cause(ctx)
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func final(err error) bool { return errors.Is(err, ErrUntrusted) }

// accuse makes a failure to connect one of the server, unless it is told what else it is.
func (s *Server) accuse(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || isOurs(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func (s *Server) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = true
}

// patience is how long a server may be away that does not let us in because of err.
func (s *Server) patience(err error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.reached || errors.Is(err, errTooMany):
		return s.options.Patience
	case s.answered:
		return min(s.options.Patience, greeting)
	}
	return 0
}

// answers notes that the server has accepted a connection.
func (s *Server) answers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = true
}

// shrink makes do with the connections that there are besides the one that was refused; false if there are none. Some servers
// say that the password is wrong when they mean that there are enough.
func (s *Server) shrink() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open < 2 || !s.reached {
		return false
	}
	s.open--
	s.limit = max(1, min(s.limit, s.open))
	s.freed.Broadcast()
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.freed.Signal()
}

// release gives a connection back. One on which err has happened is ended if it may be of no use.
func (s *Server) release(c *Conn, err error) {
	s.mu.Lock()
	if c.usable(err) && !s.closed {
		s.idle = append(s.idle, c)
		s.freed.Signal()
		s.mu.Unlock()
		return
	}
	var stale []*Conn
	if code, _ := reply(err); IsBroken(err) && code == 0 { // the others have broken with it, most likely
		stale, s.idle = s.idle, nil
		s.open -= len(stale)
	}
	s.mu.Unlock()
	for _, other := range append(stale, c) {
		other.end()
	}
	s.leave()
}

func (c *Conn) usable(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && !IsBroken(err) && !errors.Is(err, errOurs)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

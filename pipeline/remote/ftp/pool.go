package ftp

import (
	"context"
	"errors"
	"time"

	"github.com/packstone/packstone/pipeline/remote"
	"github.com/packstone/packstone/pipeline/remote/pool"
)

// Server is a pool of connections to one server. It is safe for concurrent use.
type Server struct {
	options Options
	pool    *pool.Pool[*Conn]
	learned learned
}

// NewServer checks the options. It connects when a connection is needed.
func NewServer(options Options) (*Server, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options}
	s.pool = pool.New(pool.Options[*Conn]{
		Host: options.Host, Dial: s.dial, End: end, IsBroken: IsBroken, IsGone: isGone, Most: options.Connections, Patience: options.Patience,
		Spoils: func(c *Conn, err error) bool { return !c.usable(err) },
	})
	return s, nil
}

// Host returns the server's name for messages.
func (s *Server) Host() string { return s.options.Host }

// Connections returns how many connections may be used at once. The number shrinks when the server
// refuses more.
func (s *Server) Connections() int { return s.pool.Limit() }

// Close ends the idle connections. Those in use end when they are released.
func (s *Server) Close() error {
	s.pool.Close(false)
	return nil
}

func (s *Server) soon() time.Time { return time.Now().Add(min(s.options.Timeout, 2*time.Second)) }

// Do calls f with a connection, and again with another one while connections break, so f must be
// repeatable. act and path describe the operation in errors.
func (s *Server) Do(ctx context.Context, act, path string, f func(*Conn) error) error {
	err := s.pool.Do(ctx, func(c *Conn) error { return c.guard(ctx)(f(c)) })
	if remote.IsFatal(err) && !errors.Is(err, ErrUnreachable) {
		return err
	}
	return s.translate(act, path, err)
}

func (s *Server) lost(act, path string, err error) error {
	return s.translate(act, path, s.pool.Lost(err))
}

// end ends a connection, politely if nothing is under way on it.
func end(c *Conn, politely bool) {
	if politely {
		c.quit()
		return
	}
	c.end()
}

// isGone reports whether a connection broke without an answer. Then the others have probably broken
// too.
func isGone(err error) bool {
	code, _ := reply(err)
	return IsBroken(err) && code == 0
}

func (c *Conn) usable(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && !IsBroken(err) && !errors.Is(err, errOurs)
}

package sftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Server is a few connections to one server. Safe for concurrent use.
type Server struct {
	options Options
	slots   []slot
	next    atomic.Uint32
	// A connection was accepted at least once, and a login was.
	answered, reached atomic.Bool
	closed            atomic.Bool
}

// slot holds one connection once it is needed.
type slot struct {
	mu   sync.Mutex
	conn *Conn
}

// Conn is a connection. It may be used by several goroutines at once.
type Conn struct {
	*sftp.Client
	server *Server
	ssh    *ssh.Client
	stop   chan struct{}
	ended  sync.Once
	own    ownChannel
}

// NewServer checks the options. Connections are made when they are needed.
func NewServer(options Options) (*Server, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	return &Server{options: options, slots: make([]slot, options.Connections)}, nil
}

// Host names the server in messages.
func (s *Server) Host() string { return s.options.Host }

// Close ends all connections and what is under way on them.
func (s *Server) Close() error {
	s.closed.Store(true)
	for i := range s.slots {
		at := &s.slots[i]
		at.mu.Lock()
		if at.conn != nil {
			at.conn.end()
			at.conn = nil
		}
		at.mu.Unlock()
	}
	return nil
}

// attempts is how often something is tried whose connection breaks.
const attempts = 5

// Do calls f with a connection, and again with another one while connections break. f must bear being repeated. act and path say
// in errors what was done.
func (s *Server) Do(ctx context.Context, act, path string, f func(*Conn) error) error {
	var last error
	for range attempts {
		c, err := s.Conn(ctx)
		if err != nil {
			return err
		}
		err = f(c)
		if ctx.Err() != nil && err != nil {
			return context.Cause(ctx)
		}
		if !IsBroken(err) {
			return s.translate(act, path, err)
		}
		s.Drop(c)
		last = err
	}
	return fmt.Errorf("%s %s: %w: %s breaks the connection again and again: %w", act, path, ErrUnreachable, s.options.Host, last)
}

// Conn returns one of the connections, a new one if need be.
func (s *Server) Conn(ctx context.Context) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	at := &s.slots[int(s.next.Add(1))%len(s.slots)]
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.conn != nil {
		return at.conn, nil
	}
	if s.closed.Load() {
		return nil, fmt.Errorf("%w: the connections were closed", ErrUnreachable)
	}
	var err error
	at.conn, err = s.reach(ctx)
	return at.conn, err
}

// Drop ends a connection that is broken.
func (s *Server) Drop(c *Conn) {
	c.end()
	for i := range s.slots {
		at := &s.slots[i]
		at.mu.Lock()
		if at.conn == c {
			at.conn = nil
		}
		at.mu.Unlock()
	}
}

// greeting is how long a server may be away that has accepted a connection but no login yet: it is being started again, or hangs up on
// us, as it does when too many begin at once.
const greeting = 10 * time.Second

// reach makes a connection. A server that was reached before is given time to come back.
func (s *Server) reach(ctx context.Context) (*Conn, error) {
	pause, begun := 50*time.Millisecond, time.Now()
	for {
		c, err := s.dial(ctx)
		switch {
		case err == nil:
			s.reached.Store(true)
			return c, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, ErrUntrusted), errors.Is(err, ErrDenied):
			return nil, err
		case time.Since(begun) > s.patience():
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if !sleep(ctx, pause) {
			return nil, context.Cause(ctx)
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// patience is how long a server may be away.
func (s *Server) patience() time.Duration {
	switch {
	case s.reached.Load():
		return s.options.Patience
	case s.answered.Load():
		return min(s.options.Patience, greeting)
	}
	return 0
}

var errHungUp = errors.New("no SSH session")

// dial connects, checks the server and logs in.
func (s *Server) dial(ctx context.Context) (*Conn, error) {
	dialer := net.Dialer{Timeout: s.options.Timeout}
	wire, err := dialer.DialContext(ctx, "tcp", s.options.address())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.options.address(), err)
	}
	s.answered.Store(true)
	stop := context.AfterFunc(ctx, func() { wire.Close() })
	defer stop()
	if err := wire.SetDeadline(time.Now().Add(s.options.Timeout)); err != nil {
		return nil, err
	}
	client, err := s.login(ctx, wire)
	if err != nil {
		wire.Close()
		return nil, err
	}
	files, err := sftp.NewClient(client, sftp.UseConcurrentReads(true), sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(64))
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("begin SFTP with %s: %w: %w (does the server offer SFTP?)", s.options.address(), errHungUp, err)
	}
	if err := wire.SetDeadline(time.Time{}); err != nil {
		client.Close()
		return nil, err
	}
	c := &Conn{Client: files, server: s, ssh: client, stop: make(chan struct{})}
	go c.keepAlive()
	return c, nil
}

func (s *Server) login(ctx context.Context, wire net.Conn) (*ssh.Client, error) {
	o := &s.options
	keys, err := newHostKeys(o)
	if err != nil {
		return nil, err
	}
	methods, agent, err := o.methods(ctx)
	if err != nil {
		return nil, err
	}
	defer agent.Close()
	conn, channels, requests, err := ssh.NewClientConn(wire, o.address(), &ssh.ClientConfig{
		User: o.User, Auth: methods, HostKeyCallback: keys.verify, HostKeyAlgorithms: keys.algorithms(wire.RemoteAddr()), Timeout: o.Timeout,
	})
	switch {
	case err == nil:
		return ssh.NewClient(conn, channels, requests), nil
	case keys.refused != nil:
		return nil, keys.refused
	case strings.Contains(err.Error(), "unable to authenticate"), strings.Contains(err.Error(), "oo many authentication failures"):
		return nil, fmt.Errorf("log in to %s as %s: %w: %w (check user, key and password)", o.address(), o.User, ErrDenied, err)
	}
	return nil, fmt.Errorf("log in to %s: %w: %w", o.address(), errHungUp, err)
}

// keepAlive ends a connection whose server no longer answers.
func (c *Conn) keepAlive() {
	limit := c.server.options.Timeout
	tick := time.NewTicker(max(limit/4, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		late := time.AfterFunc(limit, c.end)
		_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			c.end()
			return
		}
	}
}

func (c *Conn) end() {
	c.ended.Do(func() {
		close(c.stop)
		c.ssh.Close()
		c.Client.Close()
	})
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

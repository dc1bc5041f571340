package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/packstone/packstone/pipeline/remote"
	"github.com/packstone/packstone/pipeline/remote/pool"
)

// Server is a pool of a few connections to one server. It is safe for concurrent use.
type Server struct {
	options Options
	pool    *pool.Pool[*Conn]
	block   atomic.Int32 // bytes of a READ that the server answers in full
	library atomic.Bool  // sessions are the library's: see Sessions
}

// Conn is a connection. It is safe for concurrent use.
type Conn struct {
	*session
	client *sftp.Client // instead, for storage
	ssh    *ssh.Client
	stop   chan struct{}
	ended  sync.Once
}

const (
	transfers = 64
	// shared is how many callers use a connection at once. A further connection is made when all
	// have busy callers.
	shared, busy = 64, 12
	// block is the size of a READ or a WRITE that every server must accept.
	block = 32 << 10
)

// NewServer checks the options. It connects when a connection is needed.
func NewServer(options Options) (*Server, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options}
	s.block.Store(block)
	s.pool = pool.New(pool.Options[*Conn]{
		Host: options.Host, Dial: s.dial, End: func(c *Conn, _ bool) { c.end() }, IsBroken: IsBroken,
		Most: options.Connections, Shared: shared, Busy: busy, Patience: options.Patience,
	})
	return s, nil
}

// Host returns the server's name for messages.
func (s *Server) Host() string { return s.options.Host }

// Transfers returns how many files are worth reading or writing at once. A server handles the
// requests of a connection one after the other and refuses none, so more transfers only wait
// longer.
func (s *Server) Transfers() int { return transfers }

// Close ends all connections, with everything in progress on them.
func (s *Server) Close() error {
	s.pool.Close(true)
	return nil
}

// Do calls f with a connection, and again with another one while connections break, so f must be
// repeatable. act and path describe the operation in errors.
func (s *Server) Do(ctx context.Context, act, path string, f func(*Conn) error) error {
	return s.do(ctx, 1, act, path, f)
}

// do is Do for an operation that loads a connection as much as weight callers.
func (s *Server) do(ctx context.Context, weight int, act, path string, f func(*Conn) error) error {
	err := s.pool.DoHeavy(ctx, weight, f)
	if remote.IsFatal(err) && !errors.Is(err, ErrUnreachable) {
		return err
	}
	return s.translate(act, path, err)
}

// dial connects, checks the server and logs in.
func (s *Server) dial(ctx context.Context, answered func()) (*Conn, error) {
	dialer := net.Dialer{Timeout: s.options.Timeout}
	wire, err := dialer.DialContext(ctx, "tcp", s.options.address())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.options.address(), err)
	}
	answered()
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
	c := &Conn{ssh: client, stop: make(chan struct{})}
	if err := s.begin(c); err != nil {
		client.Close()
		return nil, fmt.Errorf("begin SFTP with %s: %w: %w (does the server offer SFTP?)", s.options.address(), pool.ErrHungUp, err)
	}
	if err := wire.SetDeadline(time.Time{}); err != nil {
		client.Close()
		return nil, err
	}
	go c.keepAlive(s.options.Timeout)
	return c, nil
}

// begin begins the session.
func (s *Server) begin(c *Conn) (err error) {
	if s.library.Load() {
		c.client, err = sftp.NewClient(c.ssh, sftp.UseConcurrentReads(true), sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(64))
		return err
	}
	begun, err := c.ssh.NewSession()
	if err != nil {
		return err
	}
	var out io.Reader
	in, err := begun.StdinPipe()
	if err == nil {
		out, err = begun.StdoutPipe()
	}
	if err == nil {
		err = begun.RequestSubsystem("sftp")
	}
	if err == nil {
		c.session, err = newSession(in, out)
	}
	return err
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
	return nil, fmt.Errorf("log in to %s: %w: %w", o.address(), pool.ErrHungUp, err)
}

// keepAlive ends a connection whose server no longer answers.
func (c *Conn) keepAlive(limit time.Duration) {
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
		if c.client != nil {
			c.client.Close()
		}
	})
}

package ftp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jlaffaye/ftp"

	"github.com/packstone/packstone/pipeline/remote/pool"
)

// Conn is a connection that is logged in. It is not safe for concurrent use, and a transfer must
// end before the next call.
type Conn struct {
	*ftp.ServerConn
	server  *Server
	control *greeted
	text    *textproto.Conn // for commands that ServerConn has not
	tls     *tls.Config

	answered func() // to be called when the server has accepted the connection

	mu     sync.Mutex
	wires  []wire // that are open: control and data
	ended  bool
	failed error // why, if that is known here alone

	take func(line string) error // of the data connection that is opened next
}

// dial connects and logs in.
func (s *Server) dial(ctx context.Context, answered func()) (*Conn, error) {
	c := &Conn{server: s, answered: answered}
	if s.options.Security != Clear {
		c.tls = s.options.tls()
	}
	stop := context.AfterFunc(ctx, c.end)
	defer stop()
	err := c.connect(ctx)
	if err == nil {
		err = c.login(ctx)
	}
	if err != nil {
		c.end()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return c, nil
}

func (c *Conn) connect(ctx context.Context) error {
	var err error
	c.ServerConn, err = ftp.Dial(c.server.options.address(), ftp.DialWithDisabledMLSD(c.server.options.NoMLSD),
		ftp.DialWithDialFunc(func(network, address string) (net.Conn, error) {
			if c.control == nil {
				return c.openControl(ctx, address)
			}
			return c.openData(address)
		}))
	switch code, text := reply(err); {
	case err == nil:
		c.text = textproto.NewConn(c.control)
		return nil
	case untrusted(err):
		return fmt.Errorf("connect to %s: %w: %w (if it has a certificate of your own authority, name that one's file)", c.server.options.address(), ErrUntrusted, err)
	case code == 421 || tooMany(text):
		return fmt.Errorf("connect to %s: %w: %w", c.server.options.address(), pool.ErrTooMany, err)
	}
	return fmt.Errorf("connect to %s: %w", c.server.options.address(), err)
}

func tooMany(text string) bool {
	return mentions(text, []string{"too many", "maximum number", "max clients", "connection limit", "limit reached"})
}

// open connects by TCP and records the connection, so that end can cut it.
func (c *Conn) open(ctx context.Context, address string) (wire, error) {
	dialer := net.Dialer{Timeout: c.server.options.Timeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return wire{}, err
	}
	w := wire{conn.(*net.TCPConn), c.server.options.Timeout}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		w.Close()
		return wire{}, net.ErrClosed
	}
	c.wires = append(c.wires[:min(1, len(c.wires))], w) // control, and the last data
	return w, nil
}

func (c *Conn) openControl(ctx context.Context, address string) (net.Conn, error) {
	w, err := c.open(ctx, address)
	if err != nil {
		return nil, err
	}
	c.answered()
	c.control = &greeted{Conn: w}
	switch c.server.options.Security {
	case Explicit:
		return c.control, c.startTLS(ctx, w)
	case Implicit:
		t := tls.Client(w, c.tls)
		c.control.Conn = t
		return c.control, t.HandshakeContext(ctx)
	}
	return c.control, nil
}

// startTLS asks for TLS before anything else.
func (c *Conn) startTLS(ctx context.Context, w wire) error {
	text := textproto.NewConn(w)
	if _, _, err := text.ReadResponse(220); err != nil {
		return err
	}
	if err := text.PrintfLine("AUTH TLS"); err != nil {
		return err
	}
	if _, _, err := text.ReadResponse(234); err != nil {
		if code, _ := reply(err); code < 500 || IsBroken(err) { // it did not answer, or not now
			return err
		}
		return fmt.Errorf("%w: %w (the server does not speak TLS here; ftp:// is without it)", ErrUntrusted, err)
	}
	t := tls.Client(w, c.tls)
	c.control.Conn, c.control.greeting = t, "220 ready\r\n"
	return t.HandshakeContext(ctx)
}

// openData returns a data connection that is still being made, so that the command that needs it is
// sent meanwhile.
func (c *Conn) openData(address string) (net.Conn, error) {
	unneeded := make(chan struct{})
	l := &late{ready: make(chan struct{}), refused: c.control.refused, dismiss: sync.OnceFunc(func() { close(unneeded) })}
	go func() {
		w, err := c.open(context.Background(), address)
		if err == nil {
			err = w.SetWriteBuffer(sendBuffer)
		}
		l.wire, l.err = w, err
		close(l.ready)
		if err != nil {
			c.failUnless(unneeded, fmt.Errorf("open a data connection: %w", err))
		}
	}()
	d := &data{Conn: l, wire: l, take: c.take}
	if c.tls != nil {
		d.Conn = tls.Client(l, c.tls)
	}
	return d, nil
}

// answerGrace is how long to wait for an answer that says why the server accepts no data
// connection.
const answerGrace = 2 * time.Second

// failUnless cuts the connection, since otherwise both sides would wait for each other. It does not
// if the server has refused the command, and so needs no data connection.
func (c *Conn) failUnless(unneeded <-chan struct{}, err error) {
	select {
	case <-unneeded:
	case <-time.After(answerGrace):
		c.fail(err)
	}
}

// fail cuts the connection for a reason of our own.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	c.failed = err
	c.mu.Unlock()
	c.end()
}

func (c *Conn) login(ctx context.Context) error {
	o := &c.server.options
	password, err := o.password(ctx)
	if err != nil {
		return fmt.Errorf("%w: get the password of %s at %s: %w", ErrDenied, o.User, o.Host, err)
	}
	if strings.ContainsAny(password, "\r\n\x00") {
		return fmt.Errorf("log in to %s: %w: the password has a line break in it", o.Host, ErrDenied)
	}
	if err := c.Login(o.User, password); err != nil {
		return c.refused(err, password)
	}
	if c.tls != nil {
		for _, command := range []string{"PBSZ 0", "PROT P"} {
			if _, err := c.command(200, command); IsBroken(err) {
				return err
			} else if err != nil {
				return fmt.Errorf("protect the data connections to %s: %w: %w", o.Host, ErrUntrusted, err)
			}
		}
	}
	return c.negotiate()
}

// refused translates why the login failed. It quotes the server, but removes the password from the
// quote.
func (c *Conn) refused(err error, password string) error {
	code, text := reply(err)
	if code == 0 { // ServerConn tells the text of some answers only
		code, text = splitCode(lastLine(c.control.last))
	}
	if password != "" {
		text = strings.ReplaceAll(text, password, "***")
	}
	o := &c.server.options
	switch {
	case code == 500 && strings.Contains(text, "child died"): // vsftpd's, whatever the password
		return fmt.Errorf("log in to %s: %w", o.Host, &textproto.Error{Code: code, Msg: text})
	case code == 421 || tooMany(text):
		return fmt.Errorf("log in to %s: %w: %s", o.Host, pool.ErrTooMany, text)
	case code >= 500:
		return fmt.Errorf("log in to %s as %s: %w: %d %s (check user and password)", o.Host, o.User, ErrDenied, code, text)
	case code != 0:
		return fmt.Errorf("log in to %s as %s: %d %s", o.Host, o.User, code, text)
	}
	return fmt.Errorf("log in to %s as %s: %w", o.Host, o.User, err)
}

// splitCode takes an answer apart. The code is 0 if it has none.
func splitCode(answer string) (code int, text string) {
	if len(answer) < 3 {
		return 0, answer
	}
	number, err := strconv.ParseUint(answer[:3], 10, 16)
	if err != nil {
		return 0, answer
	}
	return int(number), strings.TrimLeft(answer[3:], " -")
}

func lastLine(b []byte) string {
	text := strings.TrimSpace(string(b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// command sends a command and returns the text of the answer, whose code must begin with expect: 2
// is any of the 200s.
func (c *Conn) command(expect int, line string) (string, error) {
	if err := CheckName(line); err != nil {
		return "", err
	}
	if err := c.text.PrintfLine("%s", line); err != nil {
		return "", err
	}
	_, text, err := c.text.ReadResponse(expect)
	return text, err
}

// CheckName returns ErrName for a name that would make two commands, or contains byte 255, which
// servers take for the beginning of a Telnet command and never answer.
func CheckName(name string) error {
	if i := strings.IndexAny(name, "\r\n\x00"); i >= 0 {
		return fmt.Errorf("%q: %w: it has a control character in it", name, ErrName)
	}
	if strings.IndexByte(name, 0xff) >= 0 {
		return fmt.Errorf("%q: %w: it has byte 255 in it", name, ErrName)
	}
	return nil
}

// end cuts the connection, whatever it is doing.
func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, w := range c.wires {
		w.Close()
	}
}

// quit ends the session with QUIT.
func (c *Conn) quit() {
	_ = c.control.SetDeadline(c.server.soon())
	_ = c.text.PrintfLine("QUIT")
	c.end()
}

// guard cuts the connection when ctx is done. The function that it returns stops that, and replaces
// its argument by ctx's error if ctx was the cause.
func (c *Conn) guard(ctx context.Context) func(error) error {
	stop := context.AfterFunc(ctx, c.end)
	return func(err error) error {
		if !stop() && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil && c.failed != nil {
			return c.failed
		}
		return err
	}
}

package ftp

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// wire is a TCP connection on which the other side may not be silent for longer than a limit.
type wire struct {
	*net.TCPConn
	limit time.Duration
}

// Read implements io.Reader.
func (w wire) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(w.limit)); err != nil {
		return 0, err
	}
	return w.TCPConn.Read(p)
}

// Write implements io.Writer.
func (w wire) Write(p []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.limit)); err != nil {
		return 0, err
	}
	return w.TCPConn.Write(p)
}

// late is a connection that is still being made. Its methods wait for it.
type late struct {
	ready chan struct{} // closed when wire is there, or err
	wire  wire
	err   error

	refused func() bool // tells whether the server did not take the command that the connection is for
	dismiss func()      // says that nobody needs the connection
}

func (l *late) wait() (wire, error) {
	<-l.ready
	return l.wire, l.err
}

// Read implements net.Conn.
func (l *late) Read(p []byte) (int, error) {
	w, err := l.wait()
	if err != nil {
		return 0, err
	}
	return w.Read(p)
}

// Write implements net.Conn.
func (l *late) Write(p []byte) (int, error) {
	w, err := l.wait()
	if err != nil {
		return 0, err
	}
	return w.Write(p)
}

// on calls f with the connection.
func (l *late) on(f func(wire) error) error {
	w, err := l.wait()
	if err != nil {
		return err
	}
	return f(w)
}

// Close implements net.Conn.
func (l *late) Close() error {
	if l.refused() {
		l.dismiss()
	}
	return l.on(func(w wire) error { return w.Close() })
}

// CloseWrite ends what is sent.
func (l *late) CloseWrite() error { return l.on(func(w wire) error { return w.CloseWrite() }) }

// SetDeadline implements net.Conn.
func (l *late) SetDeadline(t time.Time) error {
	return l.on(func(w wire) error { return w.SetDeadline(t) })
}

// SetReadDeadline implements net.Conn.
func (l *late) SetReadDeadline(t time.Time) error {
	return l.on(func(w wire) error { return w.SetReadDeadline(t) })
}

// SetWriteDeadline implements net.Conn.
func (l *late) SetWriteDeadline(t time.Time) error {
	return l.on(func(w wire) error { return w.SetWriteDeadline(t) })
}

// LocalAddr implements net.Conn.
func (l *late) LocalAddr() net.Addr { return l.address(net.Conn.LocalAddr) }

// RemoteAddr implements net.Conn.
func (l *late) RemoteAddr() net.Addr { return l.address(net.Conn.RemoteAddr) }

func (l *late) address(of func(net.Conn) net.Addr) net.Addr {
	w, err := l.wait()
	if err != nil {
		return &net.TCPAddr{}
	}
	return of(w)
}

// greeted is a control connection whose greeting was read already, and is read again. It keeps the
// last line that was read, and ends a connection whose answers do not end. ServerConn and this
// package read from it alternately, so each Read returns at most one line.
type greeted struct {
	net.Conn
	greeting string
	buffer   []byte
	unread   []byte // of buffer: came, and was given to nobody yet
	last     []byte
	unasked  int // bytes that came since the last command

	// The answer to an EPSV that was sent early is returned when EPSV is needed.
	prepared   string
	preparedAt time.Time
	asked      bool // EPSV, and nothing since
	extended   bool // it was answered well once
}

// preparedFor is how long an answer to EPSV may be used. Servers wait longer for a data connection,
// and it is usually needed at once, or not for long.
const preparedFor = 10 * time.Second

// canPrepare reports whether the server supports EPSV, and no answer to it is stored.
func (g *greeted) canPrepare() bool {
	return g.extended && (g.prepared == "" || time.Since(g.preparedAt) > preparedFor)
}

// maxReply is how many bytes a server may answer to one command, or to a few that were sent at
// once.
const maxReply = 1 << 20

// Read implements io.Reader.
func (g *greeted) Read(p []byte) (int, error) {
	if g.greeting != "" {
		n := copy(p, g.greeting)
		g.greeting = g.greeting[n:]
		return n, nil
	}
	if g.unasked > maxReply {
		return 0, errors.New("the answer to a command does not end")
	}
	if err := g.fill(); err != nil {
		return 0, err
	}
	line := g.unread[:lineEnd(g.unread)]
	if bytes.HasPrefix(line, []byte("227")) && bytes.LastIndexByte(line, ')') < bytes.IndexByte(line, '(') { // ServerConn would panic
		return 0, fmt.Errorf("the answer to PASV names no address: %q", line)
	}
	n := copy(p, line)
	g.unread = g.unread[n:]
	g.unasked += n
	g.extended = g.extended || g.asked && bytes.HasPrefix(p[:n], []byte("229"))
	g.last = append(g.last, p[:n]...)
	g.last = g.last[max(0, len(g.last)-512):]
	return n, nil
}

// fill waits until something is unread.
func (g *greeted) fill() error {
	if g.buffer == nil {
		g.buffer = make([]byte, 4096)
	}
	for len(g.unread) == 0 {
		n, err := g.Conn.Read(g.buffer)
		if g.unread = g.buffer[:n]; n == 0 && err != nil {
			return err
		}
	}
	return nil
}

// lineEnd returns the length of the first line, or of everything if there is no line end.
func lineEnd(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

// Write implements io.Writer.
func (g *greeted) Write(p []byte) (int, error) {
	g.unasked = 0
	g.asked = string(p) == commandEPSV
	if g.asked && g.prepared != "" && time.Since(g.preparedAt) < preparedFor {
		g.greeting, g.prepared = g.prepared, ""
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// refused reports whether the last answer was a refusal.
func (g *greeted) refused() bool {
	answer := lastLine(g.last)
	return strings.HasPrefix(answer, "4") || strings.HasPrefix(answer, "5")
}

// data is a data connection.
type data struct {
	net.Conn
	wire  *late // below TLS
	wrote bool
	// take, if set, receives the lines of a listing; Read then returns nothing.
	take func(line string) error
}

// The limits of a listing. Paths have 4096 bytes at most, and directories with a million names are
// unusable anyway.
const (
	maxLine  = 64 << 10
	maxLines = 1 << 20
	maxBytes = 128 << 20
)

// errEndless is the error of a listing that is too long.
var errEndless = fmt.Errorf("the listing has more than %d names, or %d bytes, or a line of more than %d", maxLines, maxBytes, maxLine)

// Read implements io.Reader.
func (d *data) Read(p []byte) (int, error) {
	if d.take == nil {
		return d.Conn.Read(p)
	}
	lines := bufio.NewScanner(d.Conn)
	lines.Buffer(make([]byte, 4096), maxLine)
	count, bytes := 0, 0
	for lines.Scan() {
		count, bytes = count+1, bytes+len(lines.Bytes())
		if count > maxLines || bytes > maxBytes {
			return 0, errEndless
		}
		if err := d.take(lines.Text()); err != nil {
			return 0, err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return 0, errEndless
	} else if err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// Write implements io.Writer.
func (d *data) Write(p []byte) (int, error) {
	d.wrote = true
	return d.Conn.Write(p)
}

// Handshake performs TLS on a data connection without data, for which some servers wait.
func (d *data) Handshake() error {
	d.wrote = true
	if t, ok := d.Conn.(*tls.Conn); ok {
		return t.Handshake()
	}
	return nil
}

// Close ends the data. After an upload it waits until the other side closes too: closing a
// connection with unread session tickets resets it, and loses the end of the file.
func (d *data) Close() error {
	if !d.wrote {
		return d.Conn.Close()
	}
	var failed error
	if t, ok := d.Conn.(*tls.Conn); ok {
		failed = t.CloseWrite()
	}
	failed = errors.Join(failed, d.wire.CloseWrite())
	if failed == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(d.Conn, 1<<20))
	}
	return errors.Join(failed, d.wire.Close())
}

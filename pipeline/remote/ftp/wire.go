package ftp

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
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

// greeted is a control connection whose greeting was read already, and is read again. It keeps the last of what was read.
type greeted struct {
	net.Conn
	greeting string
	last     []byte
}

// Read implements io.Reader.
func (g *greeted) Read(p []byte) (int, error) {
	if g.greeting != "" {
		n := copy(p, g.greeting)
		g.greeting = g.greeting[n:]
		return n, nil
	}
	n, err := g.Conn.Read(p)
	g.last = append(g.last[:0], p[max(0, n-512):n]...)
	return n, err
}

// data is a data connection.
type data struct {
	net.Conn
	wire  wire
	wrote bool
	// take, if set, takes the lines of a listing; Read then has nothing to give.
	take func(line string) error
}

// maxLine bounds a line of a listing. Paths end at 4096 bytes.
const maxLine = 64 << 10

// Read implements io.Reader.
func (d *data) Read(p []byte) (int, error) {
	if d.take == nil {
		return d.Conn.Read(p)
	}
	lines := bufio.NewScanner(d.Conn)
	lines.Buffer(make([]byte, 4096), maxLine)
	for lines.Scan() {
		if err := d.take(lines.Text()); err != nil {
			return 0, err
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// Write implements io.Writer.
func (d *data) Write(p []byte) (int, error) {
	d.wrote = true
	return d.Conn.Write(p)
}

// Handshake begins TLS on a data connection on which nothing is written: some servers wait for it.
func (d *data) Handshake() error {
	d.wrote = true
	if t, ok := d.Conn.(*tls.Conn); ok {
		return t.Handshake()
	}
	return nil
}

// Close ends the data. After an upload it waits until the other side closes too: a connection that is closed while
// session tickets lie in it unread is reset, and the end of the file is lost with it.
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

package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy passes connections on.
type proxy struct {
	options
	open, all, most, refused, cut, up, down atomic.Int64
}

// serve passes on what listener accepts until it is closed, and then ends all connections.
func (p *proxy) serve(ctx context.Context, listener net.Listener) { p.serveAt(ctx, listener, "") }

// serveAt is serve for another port of the target's host, unless that is empty.
func (p *proxy) serveAt(ctx context.Context, listener net.Listener, port string) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		running.Go(func() { p.connection(ctx, client, port) })
	}
}

func (p *proxy) connection(ctx context.Context, client net.Conn, port string) {
	defer client.Close()
	n := p.open.Add(1)
	defer p.open.Add(-1)
	p.all.Add(1)
	if p.connections > 0 && n > int64(p.connections) {
		p.refused.Add(1)
		return
	}
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	time.Sleep(p.rtt) // of the handshake
	server, err := net.Dial("tcp", p.at(port))
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()
	left := p.bytesUntilCut()
	var directions sync.WaitGroup
	directions.Go(func() { p.newLine(left, &p.up).copy(server, client) })
	directions.Go(func() { p.newLine(left, &p.down).copy(client, server) })
	directions.Wait()
}

// at is the address of the target, at another port unless that is empty.
func (p *proxy) at(port string) string {
	if port == "" {
		return p.target
	}
	host, _, _ := net.SplitHostPort(p.target)
	return net.JoinHostPort(host, port)
}

// bytesUntilCut is how many bytes a connection may move, nil for any number.
func (p *proxy) bytesUntilCut() *atomic.Int64 {
	if p.reset == 0 {
		return nil
	}
	left := new(atomic.Int64)
	left.Store(int64(rand.ExpFloat64() * float64(p.reset)))
	return left
}

// line is one direction of a connection.
type line struct {
	*proxy
	left  *atomic.Int64
	total *atomic.Int64
	free  time.Time // when all that was sent has left the sender
	last  time.Time // when the last of it arrives
	bytes chan packet
}

// packet is some bytes on their way.
type packet struct {
	data    []byte
	arrives time.Time
}

const packetSize = 32 << 10

// late is by how much a packet may be behind its time without the connection losing it: a sleep is
// some tenths of a millisecond longer than it should be, and packets are as short as that.
const late = 5 * time.Millisecond

func (p *proxy) newLine(left, total *atomic.Int64) *line {
	// What fits on the wire, and as much again in buffers.
	held := int64(float64(p.rate)*p.rtt.Seconds())/packetSize + 16
	return &line{proxy: p, left: left, total: total, bytes: make(chan packet, held)}
}

// copy moves bytes until one side ends, and tells the other so.
func (l *line) copy(to, from net.Conn) {
	var writing sync.WaitGroup
	writing.Go(func() { l.deliver(to, from) })
	for {
		data := make([]byte, packetSize)
		n, err := from.Read(data)
		if n > 0 {
			l.bytes <- packet{data[:n], l.send(n)}
		}
		if err != nil {
			break
		}
	}
	l.bytes <- packet{nil, l.send(0)} // the end needs as long as what is before it
	close(l.bytes)
	writing.Wait()
}

// send returns when n bytes arrive that are sent now. It takes the time that the sender needs.
func (l *line) send(n int) time.Time {
	l.free = later(l.free, time.Now().Add(-late))
	if l.rate > 0 {
		l.free = l.free.Add(time.Duration(float64(n) / float64(l.rate) * float64(time.Second)))
		time.Sleep(time.Until(l.free))
	}
	delay := l.rtt / 2
	if l.jitter > 0 {
		delay += rand.N(l.jitter)
	}
	l.last = later(l.last, l.free.Add(delay)) // in order
	return l.last
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (l *line) deliver(to, from net.Conn) {
	for p := range l.bytes {
		time.Sleep(time.Until(p.arrives))
		if _, err := to.Write(p.data); err != nil {
			break
		}
		l.total.Add(int64(len(p.data)))
		if l.left != nil && l.left.Add(-int64(len(p.data))) < 0 {
			l.cutOff(to, from)
			break
		}
	}
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	for range l.bytes { // so that the reader ends
	}
}

// cutOff ends a connection as a broken network does.
func (l *line) cutOff(ends ...net.Conn) {
	l.cut.Add(1)
	for _, c := range ends {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// weather is what a network does to connections.
type weather struct {
	name    string
	latency time.Duration // of each direction
	cut     float64       // mean bytes after which a connection is reset; 0: never
	deaf    bool          // some connections stay open, and nothing passes any more until the weather is over
}

var weathers = []weather{
	{name: "calm"}, {name: "calm"},
	{name: "far away", latency: 15 * time.Millisecond},
	{name: "resets", latency: time.Millisecond, cut: 300_000},
	{name: "half-open connections", deaf: true},
}

// badNetwork stands before a server of this machine.
type badNetwork struct {
	port int
	to   string

	cut, deafened atomic.Int64

	mu     sync.Mutex
	is     weather
	over   chan struct{} // closed when the weather is over, which resets deaf connections
	up     int64         // bytes that clients have sent
	at     int64         // of up, when passed is closed
	passed chan struct{}
}

func newBadNetwork(t *testing.T, to string) *badNetwork {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	n := &badNetwork{port: l.Addr().(*net.TCPAddr).Port, to: to, over: make(chan struct{})}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go n.join(client)
		}
	}()
	return n
}

func (n *badNetwork) address() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// becomes changes the weather.
func (n *badNetwork) becomes(w weather) {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.over)
	n.is, n.over = w, make(chan struct{})
}

// after returns a channel that is closed when clients have sent so many bytes more.
func (n *badNetwork) after(bytes int64) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at, n.passed = n.up+bytes, make(chan struct{})
	return n.passed
}

func (n *badNetwork) sent(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up += int64(bytes)
	if n.passed != nil && n.up >= n.at {
		close(n.passed)
		n.passed = nil
	}
}

func (n *badNetwork) now() (weather, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.is, n.over
}

// join joins a client with the server. A server that is not there is a connection that is reset.
func (n *badNetwork) join(client net.Conn) {
	server, err := net.Dial("tcp", n.to)
	if err != nil {
		reset(client)
		return
	}
	go n.pass(client, server, func(int) {})
	n.pass(server, client, n.sent)
}

// pass passes bytes on, until one of the ends is gone or the weather parts them.
func (n *badNetwork) pass(to, from net.Conn, count func(int)) {
	defer to.Close()
	defer from.Close()
	buffer, left := make([]byte, 32<<10), rand.ExpFloat64()
	for {
		got, err := from.Read(buffer)
		count(got)
		is, over := n.now()
		time.Sleep(is.latency)
		if is.cut > 0 {
			left -= float64(got) / is.cut
		}
		switch {
		case left < 0:
			n.cut.Add(1)
			reset(to, from)
			return
		case is.deaf && rand.IntN(20) == 0:
			n.deafened.Add(1)
			<-over
			reset(to, from)
			return
		}
		if _, failed := to.Write(buffer[:got]); failed != nil || err != nil {
			return
		}
	}
}

// reset ends connections as a broken network does.
func reset(ends ...net.Conn) {
	for _, c := range ends {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}

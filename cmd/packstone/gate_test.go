package main

import (
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// gate stands between packstone and a server of a test, and stops at a statement: the server has
// it, and from then on nothing passes on that connection, in neither direction, until the gate
// opens. So a test may take all the time that it needs.
type gate struct {
	at      *regexp.Regexp
	reached chan struct{} // closed when the statement has passed
	opened  chan struct{}
	claimed atomic.Bool // a connection has met the statement
	once    sync.Once
	server  string
}

// newGate returns the address of a gate that leads to the server of a URL.
func newGate(t testing.TB, url, statement string) (*gate, string) {
	t.Helper()
	host := url[strings.IndexByte(url, '@')+1:]
	host = host[:strings.IndexByte(host, '/')]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{at: regexp.MustCompile(statement), reached: make(chan struct{}), opened: make(chan struct{}), server: host}
	t.Cleanup(func() {
		listener.Close()
		g.open()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go g.serve(client)
		}
	}()
	return g, strings.Replace(url, host, listener.Addr().String(), 1)
}

// open lets everything pass.
func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

// serve joins a client with the server until one of the two hangs up.
func (g *gate) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", g.server)
	if err != nil {
		return
	}
	defer server.Close()
	held := make(chan struct{}) // closed when this connection stands still
	var both sync.WaitGroup
	both.Go(func() {
		defer server.Close()
		g.pass(client, server, held, true)
	})
	both.Go(func() {
		defer client.Close()
		g.pass(server, client, held, false)
	})
	both.Wait()
}

// pass copies one direction. Where it watches, it looks for the statement. The other direction
// stands still before the server has that, so that no answer slips through.
func (g *gate) pass(from, to net.Conn, held chan struct{}, watch bool) {
	buffer, seen := make([]byte, 32<<10), ""
	for {
		n, err := from.Read(buffer)
		select {
		case <-held:
			<-g.opened
		default:
		}
		seen += string(buffer[:n])
		found := watch && g.at.MatchString(seen) && g.claimed.CompareAndSwap(false, true)
		if found {
			close(held)
		}
		seen = seen[max(0, len(seen)-4096):]
		_, failed := to.Write(buffer[:n])
		if found {
			close(g.reached)
		}
		if err != nil || failed != nil {
			return
		}
	}
}

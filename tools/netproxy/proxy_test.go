package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// echo starts a server that sends back what it gets, and a proxy before it, whose address it
// returns.
func echo(t *testing.T, o options) (*proxy, string) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.target = server.Addr().String()
	p, done := &proxy{options: o}, make(chan struct{})
	go func() {
		defer close(done)
		p.serve(context.Background(), front)
	}()
	t.Cleanup(func() { front.Close(); <-done })
	return p, front.Addr().String()
}

func exchange(t *testing.T, address string, data []byte) ([]byte, error) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = c.Write(data)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	return io.ReadAll(c)
}

func TestBytesComeWholeAndNoSoonerThanTheyCan(t *testing.T) {
	const rtt, rate = 30 * time.Millisecond, 2_000_000
	p, address := echo(t, options{rtt: rtt, rate: rate, jitter: time.Millisecond})
	data := bytes.Repeat([]byte("0123456789"), 20_000)
	begun := time.Now()
	got, err := exchange(t, address, data)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(data))
	}
	// The handshake, one way there, one back, and the time of the bytes themselves.
	if took, least := time.Since(begun), 2*rtt+time.Second*time.Duration(len(data))/rate-2*late; took < least {
		t.Errorf("took %v, want at least %v", took, least)
	}
	if p.all.Load() != 1 || p.up.Load() != int64(len(data)) || p.down.Load() != int64(len(data)) {
		t.Errorf("counted %d connections, %d bytes up, %d down", p.all.Load(), p.up.Load(), p.down.Load())
	}
}

func TestConnectionsAboveTheLimitAreRefusedAndOthersAreCut(t *testing.T) {
	p, address := echo(t, options{connections: 1})
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil { // so it is through
		t.Fatal(err)
	}
	if got, _ := exchange(t, address, []byte("more")); len(got) > 0 || p.refused.Load() != 1 {
		t.Errorf("a second connection got %q, %d refused; want none, 1", got, p.refused.Load())
	}
	cut, address := echo(t, options{reset: 1})
	data := make([]byte, 1<<20)
	if got, err := exchange(t, address, data); err == nil && len(got) == len(data) || cut.cut.Load() == 0 {
		t.Errorf("got %d bytes, %v, %d cut; want that the connection is cut", len(got), err, cut.cut.Load())
	}
}

package sqlserver

import (
	"context"
	"net"
	"testing"

	client "github.com/microsoft/go-mssqldb"
)

// A server that accepts the connection and says nothing holds nobody up whose context has ended.
func TestALogInEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	dsn := "sqlserver://me@" + l.Addr().String() + "?database=d"
	parsed, err := client.NewConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c := <-accepted
		_, _ = c.Read(make([]byte, 1)) // it asks, and waits for an answer
		cancel()
	}()
	if conn, err := (connector{parsed, dsn}).Connect(ctx); err == nil {
		t.Errorf("got %v from a server that has said nothing", conn)
	}
}

package servertest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreePort returns what FindFreePort finds.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := FindFreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// FindFreePort returns a port of 127.0.0.1 at which nobody listens just now. It lies below those
// that the system uses for outgoing connections: while a server is down, none of these takes its
// port.
func FindFreePort() (int, error) {
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("none of 100 ports of 127.0.0.1 is free")
}

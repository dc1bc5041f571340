package s3http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	dialTimeout = 15 * time.Second
	// stall ends a connection on which nothing has moved, in either direction. A body may take as long as it likes.
	stall     = 2 * time.Minute
	idleConns = 64 // per host; more uploads at once open connections that are closed after use
	ioBuffer  = 128 << 10
)

// Options describe an HTTP transport. The zero value uses the system's CAs and no proxy.
type Options struct {
	CAs   *x509.CertPool                                 // instead of the system's
	Proxy func(*http.Request) (*url.URL, error)          // as in http.Transport
	Wrap  func(next http.RoundTripper) http.RoundTripper // around the transport: limits, counts, faults
}

// Transport returns a transport for large bodies over HTTP/1: HTTP/2 would send all of them through one connection, and
// its flow control is slower than TCP's. Idle connections are kept for 90 seconds.
func Transport(opts Options) http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	transport := &http.Transport{
		Proxy: opts.Proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &movingConn{conn}, nil
		},
		TLSClientConfig:       &tls.Config{RootCAs: opts.CAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: stall,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          0, // bounded per host
		MaxIdleConnsPerHost:   idleConns,
		ReadBufferSize:        ioBuffer,
		WriteBufferSize:       ioBuffer,
		DisableCompression:    true,
		Protocols:             protocols,
	}
	if opts.Wrap == nil {
		return transport
	}
	return opts.Wrap(transport)
}

// movingConn fails when nothing has moved for a while. Each write prolongs the reader's time too, since the transport
// waits for the answer while it still sends the request.
type movingConn struct{ net.Conn }

// Read implements io.Reader.
func (c *movingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements io.Writer.
func (c *movingConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

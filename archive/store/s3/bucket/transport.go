package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 15 * time.Second
	// stall ends a connection on which nothing has moved, in either direction.
	stall     = time.Minute
	idleConns = 64
	ioBuffer  = 128 << 10
)

// clock knows how far the server's clock is ahead of ours, from the dates of its answers.
type clock struct {
	ahead   atomic.Int64 // nanoseconds
	reached atomic.Bool  // there was an answer, whatever it was
}

// transport returns one for large bodies over HTTP/1: HTTP/2 would send all of them through one connection.
func transport(cas *x509.CertPool, proxy func(*http.Request) (*url.URL, error), wrap func(http.RoundTripper) http.RoundTripper, c *clock) http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	var next http.RoundTripper = &http.Transport{
		Proxy: proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &movingConn{conn}, nil
		},
		TLSClientConfig:       &tls.Config{RootCAs: cas, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: stall,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   idleConns,
		ReadBufferSize:        ioBuffer,
		WriteBufferSize:       ioBuffer,
		DisableCompression:    true, // else an object with Content-Encoding: gzip would not come as it is
		Protocols:             protocols,
	}
	if wrap != nil {
		next = wrap(next)
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if answers, ok := r.Context().Value(answersKey{}).(*atomic.Int64); ok {
			answers.Add(1)
		}
		if err == nil {
			c.note(answer.Header.Get("Date"), time.Now())
		}
		return answer, err
	})
}

// answersKey is where a context counts the answers that came to its requests.
type answersKey struct{}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *clock) note(date string, now time.Time) {
	c.reached.Store(true)
	if at, err := http.ParseTime(date); err == nil {
		c.ahead.Store(int64(at.Sub(now.Truncate(time.Second))))
	}
}

// movingConn fails when nothing has moved for a while. Each write prolongs the reader's time too.
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

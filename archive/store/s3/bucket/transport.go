package bucket

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 15 * time.Second
	// stall is how long nothing may move on a connection, in either direction, before it is closed.
	// A body may take any time.
	stall     = 2 * time.Minute
	idleConns = 64 // per host; more requests at once open connections that are closed after use
	ioBuffer  = 128 << 10

	// maxAnswer bounds an answer other than the content of an object. A page of a listing has a
	// thousand keys of up to 1024 bytes, each of which may take three when encoded.
	maxAnswer = 8 << 20
	// maxError bounds how much of an error is read. The rest says nothing.
	maxError  = 64 << 10
	maxHeader = 1 << 20
)

// errLong says that a server sends more than any answer can have.
var errLong = errors.New("the answer does not end")

// clock measures how far the server's clock is ahead of ours, from the date of its last answer.
type clock struct {
	ahead   atomic.Pointer[ahead] // nil: unknown
	reached atomic.Bool           // there was an answer, whatever it was
}

// ahead bounds how far the server's clock is ahead of ours.
type ahead struct{ least, most time.Duration }

// mostOld is how old a date may be when it is sent: it leaves out fractions of a second, and many
// servers renew it once a second.
const mostOld = 2 * time.Second

// note takes the date of an answer, and how long the request took until it was received.
func (c *clock) note(date string, received time.Time, took time.Duration) {
	c.reached.Store(true)
	if at, err := http.ParseTime(date); err == nil {
		least := at.Sub(received)
		c.ahead.Store(&ahead{least, least + took + mostOld})
	}
}

// bounds returns zeros if the difference is unknown.
func (c *clock) bounds() ahead {
	if a := c.ahead.Load(); a != nil {
		return *a
	}
	return ahead{}
}

// transport returns a RoundTripper for large bodies over HTTP/1: HTTP/2 would send all of them
// through one connection, and its flow control is slower than TCP's.
func transport(o Options, c *clock) http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	var next http.RoundTripper = &http.Transport{
		Proxy: o.Proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &movingConn{conn}, nil
		},
		TLSClientConfig:        &tls.Config{RootCAs: o.CAs, InsecureSkipVerify: o.Insecure, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  stall,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    idleConns,
		MaxResponseHeaderBytes: maxHeader,
		ReadBufferSize:         ioBuffer,
		WriteBufferSize:        ioBuffer,
		DisableCompression:     true, // else an object with Content-Encoding: gzip would not come as it is
		Protocols:              protocols,
	}
	if o.Wrap != nil {
		next = o.Wrap(next)
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		sent := time.Now()
		answer, err := next.RoundTrip(r)
		if answers, ok := r.Context().Value(answersKey{}).(*atomic.Int64); ok {
			answers.Add(1)
		}
		if err != nil {
			return answer, err
		}
		received := time.Now()
		c.note(answer.Header.Get("Date"), received, received.Sub(sent))
		bound(r, answer)
		if err := plausible(r, answer); err != nil {
			return nil, errors.Join(err, answer.Body.Close())
		}
		renameRetention(r, answer)
		return answer, nil
	})
}

// answersKey is the context key of a counter of answers; contentKey marks requests whose answer is
// the content of an object.
type (
	answersKey struct{}
	contentKey struct{}
)

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// bound limits how much of an answer is read into memory.
func bound(r *http.Request, answer *http.Response) {
	switch {
	case answer.StatusCode >= http.StatusMultipleChoices:
		answer.Body = &bounded{ReadCloser: answer.Body, left: maxError, end: io.EOF}
	case r.Context().Value(contentKey{}) == nil:
		answer.Body = &bounded{ReadCloser: answer.Body, left: maxAnswer, end: errLong}
	}
}

// bounded is a body with a limit on what is read.
type bounded struct {
	io.ReadCloser
	left int
	end  error // after them
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.end
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// movingConn fails when nothing has moved for a while. Each write extends the deadline of reads
// too, since the transport waits for the answer while it still sends the request.
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

package retry_test

import (
	"io"
	"net/http"
	"sync"

	"github.com/packstone/packstone/archive/store/s3test"
)

// killAfter wraps a transport so that the server is killed, once, when n bytes of a request's body
// were sent.
func killAfter(server *s3test.Server, n int) func(http.RoundTripper) http.RoundTripper {
	var once sync.Once
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Body == nil || request.ContentLength <= int64(n) {
				return next.RoundTrip(request)
			}
			request = request.Clone(request.Context())
			request.Body = &killingBody{ReadCloser: request.Body, left: n, kill: func() { once.Do(server.Kill) }}
			return next.RoundTrip(request)
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

type killingBody struct {
	io.ReadCloser
	left int
	kill func()
}

func (b *killingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left <= 0 {
		b.kill()
	}
	return n, err
}

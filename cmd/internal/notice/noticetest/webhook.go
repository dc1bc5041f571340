package noticetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Webhook is a server that receives notices and pings.
type Webhook struct {
	URL string

	mu       sync.Mutex
	received []Request
	answers  []int // to the next requests; then 200
	hang     bool
	gone     chan struct{}
}

// Request is a request that has arrived.
type Request struct {
	Path   string
	Header http.Header
	Body   string
}

// NewWebhook starts a server on the loopback address, which ends with the test.
func NewWebhook(t testing.TB) *Webhook {
	w := &Webhook{gone: make(chan struct{})}
	server := httptest.NewServer(w)
	w.URL = server.URL
	t.Cleanup(func() {
		close(w.gone)
		server.Close()
	})
	return w
}

// Answer sets the status of the answers to the next requests; then it is 200 again.
func (w *Webhook) Answer(codes ...int) { w.mu.Lock(); w.answers = codes; w.mu.Unlock() }

// Hang makes the server accept requests and never answer.
func (w *Webhook) Hang() { w.mu.Lock(); w.hang = true; w.mu.Unlock() }

// Received returns all requests that have arrived, including refused ones.
func (w *Webhook) Received() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Request{}, w.received...)
}

// ServeHTTP implements http.Handler.
func (w *Webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.received = append(w.received, Request{r.URL.Path, r.Header.Clone(), string(body)})
	code, hang := http.StatusOK, w.hang
	if len(w.answers) > 0 {
		code, w.answers = w.answers[0], w.answers[1:]
	}
	w.mu.Unlock()
	if hang {
		select {
		case <-w.gone:
		case <-r.Context().Done():
		}
		return
	}
	if code/100 == 3 {
		out.Header().Set("Location", w.URL)
	}
	out.WriteHeader(code)
	_, _ = io.WriteString(out, http.StatusText(code))
}

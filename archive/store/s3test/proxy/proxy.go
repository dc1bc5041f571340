// Package proxy is a reverse proxy in front of an S3 server, for tests and measurements. It counts
// requests by method and kind of object, adds latency and limits the bandwidth. Signatures stay
// valid: the server sees the host that the client signed.
package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store/count"
)

// Options say where the proxy sends requests and what it does to them. Only Target is required.
type Options struct {
	Target         string         // http://host:port or https://host:port
	CAs            *x509.CertPool // of the target, instead of the system's
	Latency        time.Duration  // before each request is passed on
	BytesPerSecond int64          // of all bodies together, in each direction; 0 means no bound
	Most           int64          // requests under way above which others are refused with 503 SlowDown; 0 means no bound
}

// Proxy is an http.Handler. It is safe for concurrent use.
type Proxy struct {
	latency  time.Duration
	most     int64
	up, down *line
	reverse  *httputil.ReverseProxy

	mu     sync.Mutex
	counts map[[2]string]*Count
	open   map[[2]string]int64 // requests under way
	left   *sync.Cond          // a request has ended
	rounds *count.Rounds
}

// Count is what went through for one method and kind.
type Count struct {
	Method   string `json:"method"`
	Kind     string `json:"kind"` // "list", or the first segment of the object's name: "packs", "trees", … else "other"
	Requests int64  `json:"requests"`
	AtOnce   int64  `json:"at_once"`  // most requests that were under way at one moment
	Refused  int64  `json:"refused"`  // answered with a status of 400 and above
	Sent     int64  `json:"sent"`     // bytes of request bodies
	Received int64  `json:"received"` // bytes of the answers' bodies
}

// New returns a proxy.
func New(opts Options) (*Proxy, error) {
	target, err := url.Parse(opts.Target)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("target %q is not http://host:port or https://host:port", opts.Target)
	}
	p := &Proxy{latency: opts.Latency, most: opts.Most, open: make(map[[2]string]int64), up: newLine(opts.BytesPerSecond), down: newLine(opts.BytesPerSecond)}
	p.left = sync.NewCond(&p.mu)
	p.Reset()
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: opts.CAs, MinVersion: tls.VersionTLS12},
			DisableCompression:  true, // it would sign for headers that the client did not send
			MaxIdleConnsPerHost: 64,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := [2]string{r.Method, Kind(r)}
	defer p.leave(key, p.enter(key))
	if p.tooMany() {
		p.refuse(w, key)
		return
	}
	if wait(r.Context(), p.latency) != nil {
		return // the client went away
	}
	body := &body{ReadCloser: r.Body, ctx: r.Context(), line: p.up}
	r.Body = body
	answer := &answer{ResponseWriter: w, ctx: r.Context(), line: p.down, status: http.StatusOK}
	// The proxy panics to cut a connection whose answer broke; the request counts all the same.
	defer func() { p.count(key, answer, body.n) }()
	p.reverse.ServeHTTP(answer, r)
}

// tooMany reports whether more requests are in flight than Options.Most allows.
func (p *Proxy) tooMany() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int64(0)
	for _, open := range p.open {
		n += open
	}
	return p.most > 0 && n > p.most
}

// refuse answers like an overloaded server.
func (p *Proxy) refuse(w http.ResponseWriter, key [2]string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.of(key)
	c.Requests++
	c.Refused++
}

func (p *Proxy) enter(key [2]string) (place int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[key]++
	c := p.of(key)
	c.AtOnce = max(c.AtOnce, p.open[key])
	return p.rounds.Begin()
}

func (p *Proxy) leave(key [2]string, place int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rounds.End(place)
	if p.open[key]--; p.open[key] == 0 {
		delete(p.open, key)
	}
	p.left.Broadcast()
}

// Wait returns when no request is in flight. Then every answered request is counted.
func (p *Proxy) Wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.open) > 0 {
		p.left.Wait()
	}
}

// of returns the count of a method and a kind.
func (p *Proxy) of(key [2]string) *Count {
	c := p.counts[key]
	if c == nil {
		c = &Count{Method: key[0], Kind: key[1]}
		p.counts[key] = c
	}
	return c
}

func (p *Proxy) count(key [2]string, answer *answer, sent int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.of(key)
	c.Requests++
	if answer.status >= http.StatusBadRequest {
		c.Refused++
	}
	c.Sent += sent
	c.Received += answer.n
}

// Counts returns what was counted, in the order of methods and kinds.
func (p *Proxy) Counts() []Count {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make([]Count, 0, len(p.counts))
	for _, c := range p.counts {
		counts = append(counts, *c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Kind, b.Kind))
	})
	return counts
}

// Requests returns the number of requests of a method and a kind; "" stands for any.
func (p *Proxy) Requests(method, kind string) int64 {
	var n int64
	for _, c := range p.Counts() {
		if (method == "" || method == c.Method) && (kind == "" || kind == c.Kind) {
			n += c.Requests
		}
	}
	return n
}

// Reset sets all counts to zero.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts, p.rounds = make(map[[2]string]*Count), new(count.Rounds)
}

// Rounds returns how many requests were made one after the other: see count.Rounds.
func (p *Proxy) Rounds() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rounds.Longest()
}

// kinds are the first segments of object names in a repository.
var kinds = []string{"packs", "trees", "index", "refs", "sessions", "log", "gc", "roll", "history", "headers", "config",
	"domains", "packstone.json", "probe"}

// Kind returns what a request is about: "list" for a listing, else the kind of object, wherever in
// the bucket the repository lies.
func Kind(r *http.Request) string {
	if r.URL.Query().Has("list-type") {
		return "list"
	}
	for segment := range strings.SplitSeq(r.URL.Path, "/") {
		if slices.Contains(kinds, segment) {
			return segment
		}
	}
	return "other"
}

// body is the body of a request that is passed on.
type body struct {
	io.ReadCloser
	ctx  context.Context
	line *line
	n    int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if waited := b.line.pass(b.ctx, n); waited != nil {
		return n, waited
	}
	return n, err
}

// answer is a response that is passed on.
type answer struct {
	http.ResponseWriter
	ctx    context.Context
	line   *line
	status int
	n      int64
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status >= 200 { // 100 Continue is not the answer yet
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (a *answer) Write(p []byte) (int, error) {
	if err := a.line.pass(a.ctx, len(p)); err != nil {
		return 0, err
	}
	n, err := a.ResponseWriter.Write(p)
	a.n += int64(n)
	return n, err
}

// Unwrap lets the proxy flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// line simulates a wire of limited speed that all bodies share. A nil line is infinitely fast.
type line struct {
	bytesPerSecond float64
	mu             sync.Mutex
	free           time.Time // when all that was given to it has passed
}

func newLine(bytesPerSecond int64) *line {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &line{bytesPerSecond: float64(bytesPerSecond)}
}

// pass returns when n more bytes have passed.
func (l *line) pass(ctx context.Context, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.bytesPerSecond * float64(time.Second)))
	until := l.free.Sub(now)
	l.mu.Unlock()
	return wait(ctx, until)
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

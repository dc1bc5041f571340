package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// busy is an S3 server that answers 503 SlowDown to what is above a number of requests under way.
type busy struct {
	most    int
	forward *httputil.ReverseProxy

	mu                      sync.Mutex
	open                    int
	begun                   time.Time // the first request
	all, refused            int
	late, lateRefused, peak int // after the first minute
}

// limit starts such a server at an address, before another one.
func limit(address, target string, most int) *busy {
	b := &busy{most: most}
	b.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target})
			r.Out.Host = r.In.Host // signatures are for it
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 2 * most},
		// Who asks may go away: hedged requests do.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := &http.Server{Addr: address, Handler: b, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ListenAndServe() }()
	return b
}

// ServeHTTP implements http.Handler.
func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.enter() {
		b.forward.ServeHTTP(w, r)
	} else {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
}

// enter tells whether there is room for one more request.
func (b *busy) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.begun.IsZero() {
		b.begun = time.Now()
	}
	late := time.Since(b.begun) > time.Minute
	b.open++
	b.all++
	b.peak = max(b.peak, b.open)
	if late {
		b.late++
	}
	if b.open <= b.most {
		return true
	}
	b.refused++
	if late {
		b.lateRefused++
	}
	return false
}

// String tells what was counted, and begins anew.
func (b *busy) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf("%d of %d requests refused, after the first minute %d of %d; %d at once at most", b.refused, b.all, b.lateRefused, b.late, b.peak)
	b.begun, b.all, b.refused, b.late, b.lateRefused, b.peak = time.Time{}, 0, 0, 0, 0, 0
	return text
}

// Package limit bounds how many bytes a second go to storage and come from it, over all calls
// together.
//
// For S3 the limits apply in the HTTP transport, where a body of 32 MiB leaves in small, even
// slices (Limits.Transport). For a store without a transport, such as a directory on a network
// mount, the bytes of a call are waited for before a Put and after a Get (Limits.Store); the call
// itself runs at full speed. A store needs one of the two, not both.
package limit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"golang.org/x/time/rate"

	"github.com/packstone/packstone/archive/store"
)

const (
	minSlice = 1 << 10
	maxSlice = 128 << 10
)

// Options are bounds in bytes per second; 0 means none.
type Options struct {
	Upload, Download int64
	// Now returns further bounds, which may change with time; the lower bound counts. Several
	// goroutines call it repeatedly. nil means that there are none.
	Now func() (upload, download int64)
}

// Limits are bounds that all stores made with them share. They are safe for concurrent use.
type Limits struct {
	up, down *bound // nil for no bound
}

// bound is a rate limiter whose rate may change while callers wait.
type bound struct {
	fixed   int64
	now     func() int64 // nil: it stays as it is
	limiter *rate.Limiter

	mu  sync.Mutex
	set int64 // the rate of limiter; 0: it lets all pass
}

// New returns limits. Negative bounds are refused.
func New(opts Options) (*Limits, error) {
	if opts.Upload < 0 || opts.Download < 0 {
		return nil, fmt.Errorf("limit to %d and %d bytes per second: %w", opts.Upload, opts.Download, store.ErrInvalid)
	}
	l := &Limits{up: newBound(opts.Upload, nil), down: newBound(opts.Download, nil)}
	if opts.Now != nil {
		l.up = newBound(opts.Upload, func() int64 { up, _ := opts.Now(); return up })
		l.down = newBound(opts.Download, func() int64 { _, down := opts.Now(); return down })
	}
	return l, nil
}

func newBound(perSecond int64, now func() int64) *bound {
	if perSecond == 0 && now == nil {
		return nil
	}
	b := &bound{fixed: perSecond, now: now, set: -1, limiter: rate.NewLimiter(rate.Inf, maxSlice)}
	b.slice()
	return b
}

// slice returns how many bytes may pass at once: those of a twentieth of a second, within limits.
// It also sets the current rate.
func (b *bound) slice() int {
	perSecond := b.fixed
	if b.now != nil {
		if now := b.now(); now > 0 && (perSecond == 0 || now < perSecond) {
			perSecond = now
		}
	}
	size := int(min(max(perSecond/20, minSlice), maxSlice))
	if perSecond == 0 {
		size = maxSlice
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if perSecond != b.set {
		b.set = perSecond
		b.limiter.SetBurst(size)
		if perSecond == 0 {
			b.limiter.SetLimit(rate.Inf)
		} else {
			b.limiter.SetLimit(rate.Limit(perSecond))
		}
	}
	return size
}

// wait returns when n bytes may pass.
func wait(ctx context.Context, b *bound, n int) error {
	if b == nil {
		return nil
	}
	for n > 0 {
		size := min(n, b.slice())
		err := b.limiter.WaitN(ctx, size)
		switch {
		case err == nil:
			n -= size
		case size <= b.limiter.Burst(): // else the rate has become lower meanwhile, and less passes at once
			return fmt.Errorf("wait for bandwidth: %w", err)
		}
	}
	return nil
}

// Transport returns next with paced bodies in both directions.
func (l *Limits) Transport(next http.RoundTripper) http.RoundTripper {
	if l.up == nil && l.down == nil {
		return next
	}
	return &transport{limits: l, next: next}
}

type transport struct {
	limits *Limits
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if request.Body != nil && request.Body != http.NoBody && t.limits.up != nil {
		request = pacedRequest(request, t.limits.up)
	}
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = paced(ctx, response.Body, t.limits.down)
	return response, nil
}

// pacedRequest returns a copy of the request with a paced body. http.RoundTripper forbids changing
// the original.
func pacedRequest(request *http.Request, limiter *bound) *http.Request {
	ctx := request.Context()
	clone := request.WithContext(ctx)
	clone.Body = paced(ctx, request.Body, limiter)
	if request.GetBody != nil {
		clone.GetBody = func() (io.ReadCloser, error) {
			body, err := request.GetBody()
			if err != nil {
				return nil, err
			}
			return paced(ctx, body, limiter), nil
		}
	}
	return clone
}

func paced(ctx context.Context, body io.ReadCloser, limiter *bound) io.ReadCloser {
	if limiter == nil {
		return body
	}
	return &pacedBody{ReadCloser: body, ctx: ctx, limiter: limiter}
}

type pacedBody struct {
	io.ReadCloser
	ctx     context.Context // of the request, whose body outlives no call
	limiter *bound
}

// Read returns at most a slice, after the time that the slice takes.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.limiter.slice())])
	if waited := wait(b.ctx, b.limiter, n); waited != nil {
		return n, waited
	}
	return n, err
}

// Store returns s with limits on its Put and Get.
func (l *Limits) Store(s store.Store) store.Store {
	if l.up == nil && l.down == nil {
		return s
	}
	return &limited{Store: s, limits: l}
}

type limited struct {
	store.Store
	limits *Limits
}

// Put implements store.Store.
func (s *limited) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if err := wait(ctx, s.limits.up, len(data)); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return s.Store.Put(ctx, name, data, digest)
}

// Overwrite implements store.Overwriter, if the store does.
func (s *limited) Overwrite(ctx context.Context, name string, data []byte) error {
	if err := wait(ctx, s.limits.up, len(data)); err != nil {
		return fmt.Errorf("overwrite %s: %w", name, err)
	}
	return store.Overwrite(ctx, s.Store, name, data)
}

// Get implements store.Store.
func (s *limited) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	got, err := s.Store.Get(ctx, name, offset, length, dst)
	if err != nil {
		return dst, err
	}
	if err := wait(ctx, s.limits.down, len(got)-len(dst)); err != nil {
		return dst, fmt.Errorf("get %s: %w", name, err)
	}
	return got, nil
}

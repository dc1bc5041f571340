// Package retry repeats calls to a store that failed in a way that waiting may cure.
//
// A Put that is repeated after a lost answer may find its own object and return store.ErrExist, so whoever needs to
// know reads the object back.
package retry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/packstone/packstone/archive/store"
)

const (
	defaultTotal = time.Minute
	defaultFirst = 200 * time.Millisecond
	defaultMost  = 10 * time.Second
)

// Options say how long to go on. The zero value tries for a minute.
type Options struct {
	Total time.Duration // no call begins later than this after the first; 0 means a minute, less never to repeat
	First time.Duration // bound of the first wait, doubled each time; 0 means 200 ms
	Most  time.Duration // bound of any wait; 0 means 10 s

	// Retrying is told before each wait; it may be called from several goroutines.
	Retrying func(Event)
}

// Event is one failure that is about to be repeated.
type Event struct {
	Call string // such as "put packs/ab/…"
	Err  error
	Try  int           // 1 for the first that failed
	Wait time.Duration // before the next
}

// Store repeats the calls of another store.
type Store struct {
	store.Store
	opts Options
}

// New returns s with retries. Sync is passed on as it is: a kernel reports only once what it could not write.
func New(s store.Store, opts Options) *Store {
	opts.Total = defaulted(opts.Total, defaultTotal)
	opts.First = defaulted(opts.First, defaultFirst)
	opts.Most = defaulted(opts.Most, defaultMost)
	return &Store{Store: s, opts: opts}
}

func defaulted(d, ifZero time.Duration) time.Duration {
	if d == 0 {
		return ifZero
	}
	return d
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Transient reports whether the same call may succeed later: the store could not be reached, could not decide, or failed
// for a reason that it did not name.
func Transient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	for _, final := range []error{store.ErrNotExist, store.ErrExist, store.ErrDenied, store.ErrCorrupt, store.ErrFull, store.ErrInvalid} {
		if errors.Is(err, final) {
			return false
		}
	}
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate)
}

// attempts is the state of one call that is repeated.
type attempts struct {
	*Store
	ctx   context.Context
	call  string
	begun time.Time
	tries int
}

func (s *Store) begin(ctx context.Context, verb, name string) *attempts {
	return &attempts{Store: s, ctx: ctx, call: verb + " " + name, begun: time.Now()}
}

// again waits after a failure. It returns the error to give up with, nil to try again.
func (a *attempts) again(err error) error {
	a.tries++
	if !Transient(err) || a.ctx.Err() != nil {
		return err
	}
	wait := a.pause()
	if time.Since(a.begun)+wait > a.opts.Total {
		return fmt.Errorf("gave up after %d tries in %v: %w", a.tries, time.Since(a.begun).Round(time.Millisecond), err)
	}
	if a.opts.Retrying != nil {
		a.opts.Retrying(Event{Call: a.call, Err: err, Try: a.tries, Wait: wait})
	}
	if interrupted := sleep(a.ctx, wait); interrupted != nil {
		return fmt.Errorf("%w, after %w", interrupted, err)
	}
	return nil
}

// pause is a random part of a bound that doubles ("full jitter"), so that hosts that failed together do not come back
// together.
func (a *attempts) pause() time.Duration {
	bound := a.opts.First
	for i := 1; i < a.tries && bound < a.opts.Most; i++ {
		bound *= 2
	}
	return rand.N(max(1, min(bound, a.opts.Most)))
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	a := s.begin(ctx, "put", name)
	for {
		err := s.Store.Put(ctx, name, data, digest)
		if err == nil {
			return nil
		}
		if err := a.again(err); err != nil {
			return err
		}
	}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	a := s.begin(ctx, "get", name)
	for {
		got, err := s.Store.Get(ctx, name, offset, length, dst)
		if err == nil {
			return got, nil
		}
		if err := a.again(err); err != nil {
			return dst, err
		}
	}
}

// List implements store.Store. After a failure it goes on behind the last object that it has yielded, and has its full
// time again.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for a := s.begin(ctx, "list", prefix); ; {
			last, err := s.listFrom(ctx, prefix, after, yield)
			if err == nil {
				return
			}
			if last != after {
				after, a = last, s.begin(ctx, "list", prefix)
			}
			if err := a.again(err); err != nil {
				yield(store.Info{}, err)
				return
			}
		}
	}
}

// listFrom yields until the end, or until the consumer stops, and then returns no error; else it returns the last name
// that it has yielded.
func (s *Store) listFrom(ctx context.Context, prefix, after string, yield func(store.Info, error) bool) (string, error) {
	for info, err := range s.Store.List(ctx, prefix, after) {
		if err != nil {
			return after, err
		}
		if !yield(info, nil) {
			return after, nil
		}
		after = info.Name
	}
	return after, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	a := s.begin(ctx, "delete", name)
	for {
		err := s.Store.Delete(ctx, name)
		if err == nil {
			return nil
		}
		if err := a.again(err); err != nil {
			return err
		}
	}
}

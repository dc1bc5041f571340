// Package retry repeats calls to a store, and other requests (Do), after failures that waiting may
// cure.
//
// If the answer to a Put was lost, the repeated Put may find its own object and return
// store.ErrExist. A caller that needs to know whose object it is reads it back.
package retry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/archive/store"
)

const (
	defaultTotal = time.Minute
	defaultFirst = 200 * time.Millisecond
	defaultMost  = 10 * time.Second
)

// Options say how long to repeat. The zero value repeats for a minute.
type Options struct {
	Total time.Duration // no call begins later than this after the first failure; 0 means a minute, less never to repeat
	First time.Duration // bound of the first wait, doubled each time; 0 means 200 ms
	Most  time.Duration // bound of any wait; 0 means 10 s
	// Reach replaces Total as long as a Store has not answered even once. It counts from the
	// beginning of a call, and no call lasts longer. 0 means that Total always applies.
	Reach time.Duration

	// Retrying is called before each wait, and Answered when a Store has answered after that.
	// Several goroutines may call them at once.
	Retrying func(Event)
	Answered func()
}

// Event is a failure after which the call will be repeated.
type Event struct {
	Call string // such as "put packs/ab/…"
	Err  error
	Try  int           // 1 for the first that failed
	Wait time.Duration // before the next
	Left time.Duration // until nothing is repeated any more
}

// Store repeats the calls of another store. After the store has been silent for as long as a call
// is repeated, further calls fail at once.
type Store struct {
	store.Store
	opts Options

	mu     sync.Mutex
	known  bool      // the store has answered once
	silent time.Time // since when it has not; zero: it does
}

// New returns s with retries.
func New(s store.Store, opts Options) *Store { return &Store{Store: s, opts: opts.withDefaults()} }

func (o Options) withDefaults() Options {
	o.Total = cmp.Or(o.Total, defaultTotal)
	o.First = cmp.Or(o.First, defaultFirst)
	o.Most = cmp.Or(o.Most, defaultMost)
	return o
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

// Transient reports whether the same call may succeed later: the store could not be reached, could
// not decide, or gave no reason for the failure.
func Transient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || sabotage.Has(sabotage.NoRetry) {
		return false
	}
	for _, final := range []error{store.ErrNotExist, store.ErrExist, store.ErrDenied, store.ErrCorrupt, store.ErrFull, store.ErrInvalid} {
		if errors.Is(err, final) {
			return false
		}
	}
	if store.IsLimit(err) {
		return false
	}
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate)
}

// Do calls f until it succeeds, fails in a way that waiting does not cure, or the time is over.
// call names the request in messages.
func Do(ctx context.Context, opts Options, call string, f func() error) error {
	a := &attempts{Options: opts.withDefaults(), ctx: ctx, call: call}
	return a.do(f)
}

func (a *attempts) do(f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		if err := a.again(err); err != nil {
			return err
		}
	}
}

// do is Do for a call to the store, and records how long the store is silent.
func (s *Store) do(ctx context.Context, call string, f func(ctx context.Context) error) error {
	begun := time.Now()
	a := &attempts{Options: s.opts, ctx: ctx, call: call, silence: func() (time.Time, time.Duration) { return s.silence(begun) }}
	return a.do(func() error { return s.try(ctx, begun, f) })
}

// errNoAnswer ends a try of a store that has never answered, when Reach is over.
var errNoAnswer = fmt.Errorf("%w: it has not answered in time", store.ErrUnreachable)

// try calls f, and ends it when the time is over in which the store must answer for the first time.
func (s *Store) try(ctx context.Context, begun time.Time, f func(ctx context.Context) error) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if s.opts.Reach > 0 && !s.isKnown() {
		timer := time.AfterFunc(time.Until(begun.Add(s.opts.Reach)), func() {
			if !s.isKnown() {
				cancel(errNoAnswer)
			}
		})
		defer timer.Stop()
	}
	err := f(inner)
	if err != nil && ctx.Err() == nil && context.Cause(inner) == errNoAnswer {
		err = errNoAnswer
	}
	if !Transient(err) && !store.IsLimit(err) && ctx.Err() == nil {
		s.answered()
	}
	return err
}

// isKnown reports whether the store has answered once.
func (s *Store) isKnown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// answered records that the store has answered, be it with an error.
func (s *Store) answered() {
	s.mu.Lock()
	again := !s.silent.IsZero()
	s.known, s.silent = true, time.Time{}
	s.mu.Unlock()
	if again && s.opts.Answered != nil {
		s.opts.Answered()
	}
}

// silence returns since when the store has been silent, and for how long it may be. The silence
// begins now if there was none; for a store that has never answered it begins with the call.
func (s *Store) silence(begun time.Time) (since time.Time, most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reaching := !s.known && s.opts.Reach != 0
	if s.silent.IsZero() && reaching {
		s.silent = begun
	} else if s.silent.IsZero() {
		s.silent = time.Now()
	}
	if reaching {
		return s.silent, s.opts.Reach
	}
	return s.silent, s.opts.Total
}

// Progress marks the failure of a try that got further than the one before. The time to repeat
// begins anew.
func Progress(err error) error { return &progress{err} }

type progress struct{ err error }

// Error implements error.
func (p *progress) Error() string { return p.err.Error() }

// Unwrap returns the marked error, for errors.Is and errors.As.
func (p *progress) Unwrap() error { return p.err }

// attempts is the state of one repeated call.
type attempts struct {
	Options
	ctx   context.Context
	call  string
	begun time.Time // of the first failure
	tries int
	last  error // that says more than that there was no answer
	// silence returns since when all calls have failed, and for how long they may; nil if nobody
	// records that.
	silence func() (since time.Time, most time.Duration)
}

// left returns how long the call may still be repeated.
func (a *attempts) left() time.Duration {
	begun, most := a.begun, a.Total
	if a.silence != nil {
		var since time.Time
		if since, most = a.silence(); since.Before(begun) {
			begun = since
		}
	}
	return most - time.Since(begun)
}

// again waits after a failure. It returns nil to try again, or the error to give up with.
func (a *attempts) again(err error) error {
	var further *progress
	if a.tries == 0 || errors.As(err, &further) {
		a.begun, a.tries = time.Now(), 0
	}
	a.tries++
	if !Transient(err) || a.ctx.Err() != nil {
		return err
	}
	if err == errNoAnswer && a.last != nil {
		err = a.last
	}
	a.last = err
	left := a.left()
	if left <= 0 {
		return fmt.Errorf("gave up after %d tries in %v: %w", a.tries, time.Since(a.begun).Round(time.Millisecond), err)
	}
	wait := min(a.pause(), left)
	if a.Retrying != nil {
		a.Retrying(Event{Call: a.call, Err: err, Try: a.tries, Wait: wait, Left: left})
	}
	if interrupted := sleep(a.ctx, wait); interrupted != nil {
		return fmt.Errorf("%w, after %w", interrupted, err)
	}
	return nil
}

// pause returns a random part of a bound that doubles each time ("full jitter"), so that hosts that
// failed together do not return together.
func (a *attempts) pause() time.Duration {
	bound := a.First
	for i := 1; i < a.tries && bound < a.Most; i++ {
		bound *= 2
	}
	return rand.N(max(1, min(bound, a.Most)))
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	return s.do(ctx, "put "+name, func(ctx context.Context) error { return s.Store.Put(ctx, name, data, digest) })
}

// Overwrite implements store.Overwriter, if the store does.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	return s.do(ctx, "overwrite "+name, func(ctx context.Context) error { return store.Overwrite(ctx, s.Store, name, data) })
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	got := dst
	err := s.do(ctx, "get "+name, func(ctx context.Context) (err error) {
		got, err = s.Store.Get(ctx, name, offset, length, dst)
		return err
	})
	return got, err
}

// List implements store.Store. After a failure it continues after the last object that it has
// yielded, and its time begins anew.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		from := after
		err := s.do(ctx, "list "+prefix, func(ctx context.Context) error {
			last, err := s.listFrom(ctx, prefix, from, yield)
			if err != nil && last != from {
				from, err = last, Progress(err)
			}
			return err
		})
		if err != nil {
			yield(store.Info{}, err)
		}
	}
}

// listFrom yields until the end, or until the consumer stops; then it returns no error. Otherwise
// it returns the last name that it has yielded.
func (s *Store) listFrom(ctx context.Context, prefix, after string, yield func(store.Info, error) bool) (string, error) {
	for info, err := range s.Store.List(ctx, prefix, after) {
		if err != nil {
			return after, err
		}
		s.answered()
		if !yield(info, nil) {
			return after, nil
		}
		after = info.Name
	}
	return after, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.do(ctx, "delete "+name, func(ctx context.Context) error { return s.Store.Delete(ctx, name) })
}

// Sync implements store.Store. It repeats only if the storage was unreachable: after any other
// failure a store fails every later Sync too.
func (s *Store) Sync(ctx context.Context) error {
	var failed error
	err := s.do(ctx, "sync", func(ctx context.Context) error {
		if failed = s.Store.Sync(ctx); errors.Is(failed, store.ErrUnreachable) {
			return failed
		}
		return nil
	})
	return cmp.Or(err, failed)
}

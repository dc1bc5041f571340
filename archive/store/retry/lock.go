package retry

import (
	"context"
	"iter"

	"github.com/packstone/packstone/archive/store"
)

// Locker returns l with the retries, and the patience, of s.
func (s *Store) Locker(l store.Locker) store.Locker { return &locker{l, s} }

type locker struct {
	store.Locker
	retries *Store
}

// Protection implements store.Locker.
func (l *locker) Protection(ctx context.Context) (p store.Protection, err error) {
	err = l.retries.do(ctx, "ask how objects are protected", func(ctx context.Context) error {
		p, err = l.Locker.Protection(ctx)
		return err
	})
	return p, err
}

// LockOf implements store.Locker.
func (l *locker) LockOf(ctx context.Context, name, version string) (lock store.Lock, err error) {
	err = l.retries.do(ctx, "read the lock of "+name, func(ctx context.Context) error {
		lock, err = l.Locker.LockOf(ctx, name, version)
		return err
	})
	return lock, err
}

// Extend implements store.Locker.
func (l *locker) Extend(ctx context.Context, name, version string, to store.Lock) error {
	return l.retries.do(ctx, "extend the lock of "+name, func(ctx context.Context) error { return l.Locker.Extend(ctx, name, version, to) })
}

// Versions implements store.Locker. After a failure it continues after the last version that it has
// yielded, and its time begins anew.
func (l *locker) Versions(ctx context.Context, prefix, after string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		at := position{before: after}
		err := l.retries.do(ctx, "list the versions of "+prefix, func(ctx context.Context) error {
			seen := at.seen
			err := l.versionsFrom(ctx, prefix, &at, yield)
			if err != nil && at.seen > seen {
				err = Progress(err)
			}
			return err
		})
		if err != nil {
			yield(store.Version{}, err)
		}
	}
}

// position is how far a listing of versions has come.
type position struct {
	before string // the name before the last
	last   string // name
	ofLast int    // versions of it that were yielded
	seen   int
}

// versionsFrom yields until the end, or until the consumer stops; then it returns no error.
func (l *locker) versionsFrom(ctx context.Context, prefix string, at *position, yield func(store.Version, error) bool) error {
	skip, skipped := at.ofLast, at.last
	for v, err := range l.Locker.Versions(ctx, prefix, at.before) {
		if err != nil {
			return err
		}
		l.retries.answered()
		if v.Name == skipped && skip > 0 {
			skip--
			continue
		}
		if v.Name != at.last {
			if at.last != "" {
				at.before = at.last
			}
			at.last, at.ofLast = v.Name, 0
		}
		at.ofLast++
		at.seen++
		if !yield(v, nil) {
			return nil
		}
	}
	return nil
}

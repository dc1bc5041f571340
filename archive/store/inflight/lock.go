package inflight

import (
	"context"

	"github.com/packstone/packstone/archive/store"
)

// Locker returns l with its requests about single objects within the limit.
func (l *Limiter) Locker(to store.Locker) store.Locker { return &limitedLocks{to, l} }

type limitedLocks struct {
	store.Locker
	limiter *Limiter
}

// LockOf implements store.Locker.
func (s *limitedLocks) LockOf(ctx context.Context, name, version string) (lock store.Lock, err error) {
	do := limited{limiter: s.limiter}
	err = do.do(ctx, "read the lock of", name, func() (int, error) {
		lock, err = s.Locker.LockOf(ctx, name, version)
		return 0, err
	})
	return lock, err
}

// Extend implements store.Locker.
func (s *limitedLocks) Extend(ctx context.Context, name, version string, to store.Lock) error {
	do := limited{limiter: s.limiter}
	return do.do(ctx, "extend the lock of", name, func() (int, error) { return 0, s.Locker.Extend(ctx, name, version, to) })
}

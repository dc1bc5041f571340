package storetest

import (
	"context"
	"iter"

	"github.com/packstone/packstone/archive/store"
)

// Locker returns a locker whose calls f records and breaks as it does those of the store.
func (f *Faulty) Locker(l store.Locker) store.Locker { return &faultyLocks{l, f} }

type faultyLocks struct {
	store.Locker
	faults *Faulty
}

// Versions implements store.Locker.
func (l *faultyLocks) Versions(ctx context.Context, prefix, after string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		if err := l.faults.before(ctx, Versions, prefix); err != nil {
			yield(store.Version{}, err)
			return
		}
		for v, err := range l.Locker.Versions(ctx, prefix, after) {
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := l.faults.ask(l.faults.After, Versions, prefix); err != nil {
			yield(store.Version{}, err)
		}
	}
}

// LockOf implements store.Locker.
func (l *faultyLocks) LockOf(ctx context.Context, name, version string) (store.Lock, error) {
	if err := l.faults.before(ctx, LockOf, name); err != nil {
		return store.Lock{}, err
	}
	lock, err := l.Locker.LockOf(ctx, name, version)
	if err == nil {
		err = l.faults.ask(l.faults.After, LockOf, name)
	}
	return lock, err
}

// Extend implements store.Locker.
func (l *faultyLocks) Extend(ctx context.Context, name, version string, to store.Lock) error {
	if err := l.faults.before(ctx, Extend, name); err != nil {
		return err
	}
	if err := l.Locker.Extend(ctx, name, version, to); err != nil {
		return err
	}
	return l.faults.ask(l.faults.After, Extend, name)
}

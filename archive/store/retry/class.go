package retry

import (
	"context"

	"github.com/packstone/packstone/archive/store"
)

// Archiver returns a with the retries, and the patience, of s.
func (s *Store) Archiver(a store.Archiver) store.Archiver { return &archiver{a, s} }

type archiver struct {
	archiver store.Archiver
	retries  *Store
}

// Standing implements store.Archiver.
func (a *archiver) Standing(ctx context.Context, name string) (standing store.Standing, err error) {
	err = a.retries.do(ctx, "read the class of "+name, func(ctx context.Context) error {
		standing, err = a.archiver.Standing(ctx, name)
		return err
	})
	return standing, err
}

// Thaw implements store.Archiver.
func (a *archiver) Thaw(ctx context.Context, name string, how store.Thaw) error {
	return a.retries.do(ctx, "thaw "+name, func(ctx context.Context) error { return a.archiver.Thaw(ctx, name, how) })
}

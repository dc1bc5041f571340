package s3

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive/store"
)

var _ store.Archiver = (*Store)(nil)

// Standing implements store.Archiver, with one request.
func (s *Store) Standing(ctx context.Context, name string) (store.Standing, error) {
	if !store.ValidName(name) {
		return store.Standing{}, fmt.Errorf("class of %q: %w", name, store.ErrInvalid)
	}
	standing, err := s.client.Standing(ctx, s.prefix+name)
	if err != nil {
		return standing, s.failed("read the class of", name, err)
	}
	return standing, nil
}

// Thaw implements store.Archiver.
func (s *Store) Thaw(ctx context.Context, name string, how store.Thaw) error {
	if !store.ValidName(name) {
		return fmt.Errorf("thaw %q: %w", name, store.ErrInvalid)
	}
	if err := s.client.Thaw(ctx, s.prefix+name, how); err != nil {
		return s.failed("thaw", name, err)
	}
	return nil
}

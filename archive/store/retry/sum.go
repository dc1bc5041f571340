package retry

import (
	"context"

	"github.com/packstone/packstone/archive/store"
)

// Summer returns to with the retries, and the patience, of s.
func (s *Store) Summer(to store.Summer) store.Summer { return &summer{to, s} }

type summer struct {
	summer  store.Summer
	retries *Store
}

// Sum implements store.Summer.
func (s *summer) Sum(ctx context.Context, name string) (sum store.Digest, known bool, err error) {
	err = s.retries.do(ctx, "read the checksum of "+name, func(ctx context.Context) error {
		sum, known, err = s.summer.Sum(ctx, name)
		return err
	})
	return sum, known, err
}

package s3

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

var _ store.Summer = (*Store)(nil)

// Sum implements store.Summer, with one request.
func (s *Store) Sum(ctx context.Context, name string) (sum store.Digest, known bool, err error) {
	if !store.ValidName(name) {
		return sum, false, fmt.Errorf("checksum of %q: %w", name, store.ErrInvalid)
	}
	o, err := s.client.Head(ctx, bucket.Ref{Key: s.prefix + name, Sum: true})
	if err != nil {
		return sum, false, s.failed("read the checksum of", name, err)
	}
	return sum, copy(sum[:], o.SHA256) == len(sum), nil
}

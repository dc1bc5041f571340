package store

import (
	"context"
	"fmt"
)

// Overwriter is what an adapter implements besides Store, and what is around it passes on. It is
// for ProveAppendOnly, which tests what the storage forbids, and for repairs, which put a good object
// in the place of a damaged one. Nothing else overwrites.
type Overwriter interface {
	// Overwrite stores data under name, and replaces an object of that name, so that at no time
	// there is none. It may be repeated, and may arrive late, as long as data is the same. It is
	// durable as a Put is.
	Overwrite(ctx context.Context, name string, data []byte) error
}

// Overwrite overwrites an object of s. It fails with ErrInvalid if s is no Overwriter.
func Overwrite(ctx context.Context, s Store, name string, data []byte) error {
	over, ok := s.(Overwriter)
	if !ok {
		return fmt.Errorf("overwrite %s in %s: %w", name, s.Location(), ErrInvalid)
	}
	return over.Overwrite(ctx, name, data)
}

package fetch

import (
	"context"
	"sync"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog/tree"
)

// Pages returns a function that loads pages of trees. It fails if it cannot read one.
func (f *Fetcher) Pages() tree.Load {
	return func(ctx context.Context, want []archive.Chunk, each func(i int, page []byte) error) error {
		var mu sync.Mutex
		missing, err := f.Each(ctx, want, func(i int, page []byte) error {
			mu.Lock()
			defer mu.Unlock()
			return each(i, page)
		})
		if err == nil && len(missing) > 0 {
			err = missing[0].Err
		}
		return err
	}
}

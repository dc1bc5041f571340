package fetch

import (
	"context"
	"errors"

	"github.com/packstone/packstone/archive"
)

// Verify reads a whole pack and checks every byte, against a directory too if that is not nil. It returns
// what it found wrong; the error says that it could not look. The pack is held in memory meanwhile.
func (f *Fetcher) Verify(ctx context.Context, p *archive.Pack, directory *archive.Directory) ([]*archive.DamagedError, error) {
	whole, err := f.loadWhole(ctx, p)
	if damaged := (*archive.DamagedError)(nil); errors.As(err, &damaged) {
		return []*archive.DamagedError{damaged}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := f.workers.take(ctx); err != nil {
		whole.Drop()
		return nil, err
	}
	defer f.workers.give()
	return whole.Verify(ctx, directory)
}

func (f *Fetcher) loadWhole(ctx context.Context, p *archive.Pack) (*archive.Whole, error) {
	if err := f.connections.take(ctx); err != nil {
		return nil, err
	}
	defer f.connections.give()
	return f.reader.LoadWhole(ctx, p)
}

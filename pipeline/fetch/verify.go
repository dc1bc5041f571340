package fetch

import (
	"context"
	"errors"

	"github.com/packstone/packstone/archive"
)

// wholePack is roughly how many bytes of memory a pack takes.
const wholePack = 16 << 20

// PacksAtOnce returns how many packs are worth verifying at once.
func (f *Fetcher) PacksAtOnce() int {
	if f.o.Connections == nil {
		return f.o.Workers
	}
	return max(f.o.Workers, int(f.o.Memory/wholePack))
}

// Verify reads a whole pack into memory and checks every byte, and compares its directory with the
// given one unless that is nil. It returns the damage that it found; an error means that it could
// not check.
func (f *Fetcher) Verify(ctx context.Context, p *archive.Pack, directory *archive.Directory) ([]*archive.DamagedError, error) {
	whole, err := f.reader.LoadWhole(ctx, p, f.requests(int64(p.Size)))
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

// requests returns how many requests fetch a pack of this size. Half of the packs are being
// verified meanwhile.
func (f *Fetcher) requests(size int64) int {
	if f.o.Connections == nil {
		return 1
	}
	piece := max(f.worthwhile(), smallestSpan)
	return int(max(1, min((size+piece-1)/piece, int64(2*f.connections()/f.PacksAtOnce()))))
}

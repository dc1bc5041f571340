package fetch

import (
	"context"
	"errors"

	"github.com/packstone/packstone/archive"
)

// wholePack is about what a pack takes in memory.
const wholePack = 16 << 20

// PacksAtOnce is how many packs are worth verifying at once.
func (f *Fetcher) PacksAtOnce() int {
	if f.o.Connections == nil {
		return f.o.Workers
	}
	return max(f.o.Workers, int(f.o.Memory/wholePack))
}

// Verify reads a whole pack and checks every byte, against a directory too if that is not nil. It
// returns what it found wrong; the error says that it could not look. The pack is held in memory
// meanwhile.
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

// requests is how many requests share a pack of so many bytes. Half of the packs are verified
// meanwhile.
func (f *Fetcher) requests(size int64) int {
	if f.o.Connections == nil {
		return 1
	}
	piece := max(f.worthwhile(), smallestSpan)
	return int(max(1, min((size+piece-1)/piece, int64(2*f.connections()/f.PacksAtOnce()))))
}

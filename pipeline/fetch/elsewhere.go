package fetch

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
)

// findPlaces loads an index of places.
type findPlaces func(ctx context.Context) (*index.Index, error)

// elsewhere reads a chunk from another place than the one that was wrong. cause says why it was.
func (f *Fetcher) elsewhere(ctx context.Context, c *archive.Chunk, cause error) ([]byte, error) {
	for _, find := range f.places {
		data, err := f.anyOf(ctx, c, find)
		if err == nil || ends(ctx, err) {
			return data, err
		}
	}
	if damaged := (*archive.DamagedError)(nil); errors.As(cause, &damaged) && damaged.ID == c.ID {
		return nil, cause
	}
	return nil, fmt.Errorf("chunk %s: %w", c.ID, cause)
}

// anyOf reads a chunk from the first right one of the places that find knows.
func (f *Fetcher) anyOf(ctx context.Context, c *archive.Chunk, find findPlaces) ([]byte, error) {
	x, err := find(ctx)
	if err != nil {
		return nil, err
	}
	places, err := x.Places(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, other := range places {
		if other.Place.Pack.Name == packName(c) && other.Place.Ordinal == c.Place.Ordinal || other.Length != c.Length { // who wants it relies on its length
			continue
		}
		data, err := f.reader.ReadChunk(ctx, other, nil)
		if err == nil || ends(ctx, err) {
			return data, err
		}
	}
	return nil, archive.ErrDamaged
}

// onceLoaded returns a function that calls load until it succeeds, and then returns the same
// result.
func onceLoaded(load findPlaces) findPlaces {
	one := semaphore.NewWeighted(1) // which, unlike a mutex, is waited for no longer than ctx
	var x *index.Index
	return func(ctx context.Context) (_ *index.Index, err error) {
		if err := one.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer one.Release(1)
		if x == nil {
			x, err = load(ctx)
		}
		return x, err
	}
}

func readIndex(ctx context.Context, repo *catalog.Repository) (*index.Index, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	x := repo.NewIndex()
	_, err = repo.LoadIndex(ctx, log, x, nil)
	return x, err
}

// directoriesAtOnce is how many packs readDirectories reads at once.
const directoriesAtOnce = 8

// readDirectories makes an index from the directories of all packs that can be read. It takes two
// or three requests a pack.
func readDirectories(ctx context.Context, repo *catalog.Repository, reader *archive.Reader) (*index.Index, error) {
	x := index.New(index.Options{})
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(directoriesAtOnce)
	var listing error
	for listed, err := range archive.ListPacks(ctx, repo.Store) {
		if err != nil {
			listing = err
			break
		}
		g.Go(func() error {
			pack, err := reader.Pack(gctx, listed.Kind, listed.Name, int64(listed.Size))
			if err != nil {
				return store.Unavailable(gctx, err)
			}
			directory, err := reader.Directory(gctx, pack)
			if err != nil {
				return store.Unavailable(gctx, err)
			}
			x.Add(archive.RunPack{Pack: pack, Directory: directory})
			return nil
		})
	}
	return x, errors.Join(listing, g.Wait())
}

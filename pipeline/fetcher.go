package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
)

// NewFetcher makes a Fetcher for chunks of a domain, which loads the index when it is first needed, and reads the packs' own directories when
// that does not help. warn may be nil.
func NewFetcher(repo *catalog.Repository, domain uint64, warn func(error)) (*Fetcher, error) {
	reader, err := repo.Reader(domain)
	if err != nil {
		return nil, err
	}
	secret, err := repo.Domain(domain)
	if err != nil {
		return nil, err
	}
	return &Fetcher{
		Reader: reader, IDs: secret.DataID(), Warn: warn,
		Index:       onceLoaded(func(ctx context.Context) (*index.Index, error) { return readIndex(ctx, repo) }),
		Directories: onceLoaded(func(ctx context.Context) (*index.Index, error) { return readDirectories(ctx, repo, reader) }),
	}, nil
}

// onceLoaded calls load until it succeeds, and then returns what it returned.
func onceLoaded(load func(context.Context) (*index.Index, error)) func(context.Context) (*index.Index, error) {
	var mu sync.Mutex
	var x *index.Index
	return func(ctx context.Context) (_ *index.Index, err error) {
		mu.Lock()
		defer mu.Unlock()
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

// directoriesAtOnce is how many packs readDirectories asks at once.
const directoriesAtOnce = 8

// readDirectories makes an index from the directory in every pack that can be read: two or three requests a pack.
func readDirectories(ctx context.Context, repo *catalog.Repository, reader *archive.Reader) (*index.Index, error) {
	x := index.New(index.Options{})
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(directoriesAtOnce)
	err := eachPack(ctx, repo.Store, func(kind archive.Kind, name archive.Name, size int64) {
		g.Go(func() error {
			pack, err := reader.Pack(gctx, kind, name, size)
			if err != nil {
				return unlessHere(gctx, err)
			}
			directory, err := reader.Directory(gctx, pack)
			if err != nil {
				return unlessHere(gctx, err)
			}
			x.Add(archive.RunPack{Pack: pack, Directory: directory})
			return nil
		})
	})
	return x, errors.Join(err, g.Wait())
}

// unlessHere passes over what is wrong with one object, and returns what concerns the store or the end of ctx.
func unlessHere(ctx context.Context, err error) error {
	if ctx.Err() != nil || isAway(err) {
		return err
	}
	return nil
}

// eachPack lists all packs.
func eachPack(ctx context.Context, s store.Store, do func(kind archive.Kind, name archive.Name, size int64)) error {
	for _, kind := range []archive.Kind{archive.Data, archive.Trees} {
		for info, err := range s.List(ctx, string(kind)+"/", "") {
			if err != nil {
				return fmt.Errorf("list packs: %w", err)
			}
			name, err := archive.ParseName(info.Name[max(0, len(info.Name)-64):])
			if err == nil && kind.Object(name) == info.Name {
				do(kind, name, info.Size)
			}
		}
	}
	return nil
}

// isAway tells of a store that cannot answer now, which says nothing about what it holds.
func isAway(err error) bool {
	return errors.Is(err, store.ErrUnreachable) || errors.Is(err, store.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

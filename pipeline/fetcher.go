package pipeline

import (
	"context"
	"errors"
	"sync"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// NewFetcher makes a Fetcher for chunks of a domain, which loads the index when it is first needed. warn may be nil.
func NewFetcher(repo *catalog.Repository, domain uint64, warn func(error)) (*Fetcher, error) {
	reader, err := repo.Reader(domain)
	if err != nil {
		return nil, err
	}
	var once sync.Mutex
	var index *catalog.Index
	return &Fetcher{Reader: reader, Warn: warn, Index: func(ctx context.Context) (*catalog.Index, error) {
		once.Lock()
		defer once.Unlock()
		if index != nil {
			return index, nil
		}
		log, err := repo.ReadLog(ctx)
		if err != nil {
			return nil, err
		}
		loaded := catalog.NewIndex()
		if _, err := repo.LoadIndex(ctx, log, loaded, nil); err != nil {
			return nil, err
		}
		index = loaded
		return index, nil
	}}, nil
}

// isAway tells of a store that cannot answer now, which says nothing about what it holds.
func isAway(err error) bool {
	return errors.Is(err, store.ErrUnreachable) || errors.Is(err, store.ErrDenied) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

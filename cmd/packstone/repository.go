package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/retry"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fetch"
)

// openStorage opens the repository's storage. Unless create is set, a directory that is not there is no repository.
func (a *app) openStorage(ctx context.Context, create bool) (*config.Storage, error) {
	repository, err := a.Repository()
	if err != nil {
		return nil, err
	}
	return a.openStorageAt(ctx, repository, create)
}

func (a *app) openStorageAt(ctx context.Context, repository config.Repository, create bool) (*config.Storage, error) {
	opts := a.storeOptions()
	opts.Create = create
	opts.Retrying = func(e retry.Event) { a.patience.Failed(repository.String(), e) }
	storage, err := repository.Open(ctx, opts)
	if errors.Is(err, store.ErrNotExist) {
		return nil, fmt.Errorf("open repository %s: %w", repository, catalog.ErrNoRepository)
	}
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", repository, err)
	}
	return storage, nil
}

func (a *app) storeOptions() config.StoreOptions {
	total, reach := a.giveUp()
	return config.StoreOptions{
		GiveUp:      total,
		Reach:       reach,
		Answered:    a.patience.Answered,
		Upload:      int64(a.flags.limitUp),
		Download:    int64(a.flags.limitDown),
		Connections: a.flags.connections,
		Login:       a.RepositoryLogin(),
		Remote:      a.RemoteLogin(),
	}
}

// lookReach is for how long a verb that only looks waits for the storage's first answer: a person does.
const lookReach = 10 * time.Second

// giveUp is for how long storage that fails is tried again, and for how long before it has answered once.
func (a *app) giveUp() (total, reach time.Duration) {
	switch {
	case a.flags.giveUpGiven && a.flags.giveUpAfter == 0:
		return -1, -1
	case a.flags.giveUpGiven:
		return a.flags.giveUpAfter, a.flags.giveUpAfter
	case a.used&usesDryRun == 0: // nothing would be written
		return 0, lookReach
	}
	return 0, 0
}

// openRepository opens the repository with the keys at hand.
func (a *app) openRepository(ctx context.Context, needed machine.Access) (*catalog.Repository, *config.Storage, error) {
	address, err := a.RepositoryAddress()
	if err != nil {
		return nil, nil, err
	}
	return a.openRepositoryAt(ctx, address, needed)
}

func (a *app) openRepositoryAt(ctx context.Context, address string, needed machine.Access) (*catalog.Repository, *config.Storage, error) {
	at, err := config.ParseRepository(address)
	if err != nil {
		return nil, nil, usage("%w", err)
	}
	storage, err := a.openStorageAt(ctx, at, false)
	if err != nil {
		return nil, nil, err
	}
	repo, err := a.Open(ctx, address, storage, needed)
	return repo, storage, err
}

// fetchOptions say how content is read, with a warning of places that are wrong.
func (a *app) fetchOptions() fetch.Options {
	return fetch.Options{
		Workers: a.flags.concurrency,
		Memory:  a.fetchMemory(),
		Warn:    func(err error) { a.out.Warn(output.Warning{Message: err.Error()}) },
	}
}

// fetchMemory is what is fetched ahead may take: little of a limit, since what was fetched is there twice
// while it is opened.
func (a *app) fetchMemory() int64 {
	if a.flags.memoryLimit == 0 {
		return 0
	}
	return min(max(int64(a.flags.memoryLimit)/8, 4<<20), 64<<20)
}

// filter is which snapshots the flags speak of.
func (a *app) filter() catalog.Filter {
	f := catalog.Filter{Set: a.flags.set, Paths: a.flags.setGiven && a.flags.set == "", Host: a.flags.host, Tags: a.flags.tags}
	for _, path := range a.flags.paths {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		f.Of = append(f.Of, path)
	}
	return f
}

// filterFor is the filter for a place: a source that is named tells which sets it may be in.
func (a *app) filterFor(p catalog.Place) catalog.Filter {
	f := a.filter()
	f.Source, f.Below = p.Source, p.Path
	return f
}

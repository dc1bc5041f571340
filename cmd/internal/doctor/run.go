package doctor

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/pipeline/backup"
)

// Options determine what is examined, and how to open it.
type Options struct {
	Address    config.Repository
	Machine    *machine.Machine
	AppendOnly bool         // try to overwrite and delete an object, and fail if that works
	Bandwidth  bool         // measure the storage and Jobs
	Jobs       []backup.Job // sources
}

// Run examines the storage, the repository, the keys and the free space, as far as possible.
func Run(ctx context.Context, o Options) *Examination {
	x := new(Examination)
	if storage, mayPut := x.open(ctx, o); storage != nil {
		x.repository(ctx, o, storage)
		x.Space(ctx, storage)
		if o.Bandwidth && mayPut {
			x.Bandwidth(ctx, storage, o.Jobs)
		}
	}
	if o.Address.Kind == config.Local {
		x.FreeSpace(o.Address.Path)
	}
	return x
}

// open opens the storage and tests it, and reports whether objects may be put there.
func (x *Examination) open(ctx context.Context, o Options) (storage *config.Storage, mayPut bool) {
	x.Examine("storage", func() (string, error) {
		var err error
		if storage, err = o.Machine.OpenStorage(ctx, false); err != nil {
			return "", err
		}
		return storage.Location(), nil
	})
	if storage == nil {
		return nil, false
	}
	mayPut = x.Storage(ctx, storage)
	if mayPut && o.AppendOnly {
		x.AppendOnly(ctx, storage)
	}
	if mayPut {
		x.Clock(ctx, storage)
	}
	x.Promises(ctx, storage)
	x.Protection(ctx, storage)
	x.Classes(storage)
	return storage, mayPut
}

// repository examines the repository in the storage, and the keys to it.
func (x *Examination) repository(ctx context.Context, o Options, storage *config.Storage) {
	var repo *catalog.Repository
	x.Examine("repository", func() (string, error) {
		var err error
		if repo, _, err = o.Machine.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide|machine.AnyIdentity|machine.EvenBroken); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, format %d", repo.Format.Repository, repo.Format.Version), nil
	})
	if repo == nil {
		return
	}
	x.Repository(ctx, repo)
	x.Locks(ctx, storage, repo)
	x.Keys(ctx, o.Machine, repo)
	x.Cache(o.Machine.CacheDirectory(repo.Format.Repository))
}

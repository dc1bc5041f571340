package collect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

// deletes is how many packs are deleted at once.
const deletes = 16

// deleteBatch is after how many packs a run checks whether it was interrupted.
const deleteBatch = 256

// delete deletes some of packs, and returns the deleted ones.
func (c *collector) delete(ctx context.Context, packs catalog.PackSet) (catalog.PackSet, error) {
	names := slices.SortedFunc(maps.Keys(packs), func(a, b archive.Name) int { return slices.Compare(a[:], b[:]) })
	names = names[:min(len(names), deleteBatch)]
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(deletes)
	deleted, locked := catalog.PackSet{}, &locks{locker: c.o.Locker, packs: catalog.PackSet{}}
	for _, name := range names {
		deleted[name] = true
		pack := c.packs[name]
		if pack == nil {
			continue // another collector was quicker
		}
		g.Go(func() error {
			err := c.repo.Store.Delete(gctx, pack.Kind.Object(name))
			if errors.Is(err, store.ErrLocked) {
				return locked.add(gctx, pack)
			}
			if err != nil {
				return fmt.Errorf("delete pack %s: %w", name, err)
			}
			c.o.Progress.PacksDone.Add(1)
			c.o.Progress.BytesDone.Add(uint64(pack.Size))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for name := range deleted {
		if pack := c.packs[name]; pack != nil {
			c.report.count(pack, locked)
		}
	}
	return deleted, c.repo.Store.Sync(ctx)
}

// locks collects packs that the storage refuses to delete since they are locked. They are swept, so
// nobody relies on them, and the next run tries again.
type locks struct {
	locker store.Locker

	mu    sync.Mutex
	packs catalog.PackSet
	until time.Time
}

// add adds a locked pack, and asks until when it is locked.
func (l *locks) add(ctx context.Context, pack *archive.Pack) error {
	var lock store.Lock
	if l.locker != nil {
		var err error
		lock, err = l.locker.LockOf(ctx, pack.Kind.Object(pack.Name), "")
		if err != nil && !errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrNotExist) {
			return fmt.Errorf("ask until when pack %s is locked: %w", pack.Name, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packs[pack.Name] = true
	if lock.Until.After(l.until) {
		l.until = lock.Until
	}
	return nil
}

// count adds a pack that was deleted, or is locked.
func (r *Report) count(pack *archive.Pack, locked *locks) {
	if !locked.packs[pack.Name] {
		r.Deleted++
		r.Bytes += int64(pack.Size)
		return
	}
	r.Locked++
	r.LockedBytes += int64(pack.Size)
	if locked.until.After(r.LockedUntil) {
		r.LockedUntil = locked.until
	}
}

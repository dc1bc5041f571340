package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
)

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

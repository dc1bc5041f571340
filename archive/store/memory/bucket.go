package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Bucket is a store.Store and a store.Locker in memory, for tests: it keeps versions and locks as
// S3 does, by the clock of Now. The zero value is empty, and locks nothing by itself.
type Bucket struct {
	// Now returns the time; nil means time.Now.
	Now func() time.Time
	// Rules are what Protection returns. New objects are locked as they say.
	Rules store.Protection
	// Bypass says whether the credentials may shorten locks of the mode Governance.
	Bypass bool

	mu      sync.Mutex
	count   int
	objects map[string][]version // the oldest first
}

type version struct {
	store.Version
	data []byte
	lock store.Lock
}

var (
	_ store.Store      = (*Bucket)(nil)
	_ store.Locker     = (*Bucket)(nil)
	_ store.Destroyer  = (*Bucket)(nil)
	_ store.Overwriter = (*Bucket)(nil)
)

// Clone returns a bucket with the same objects, of which each has its own from then on.
func (b *Bucket) Clone() *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := &Bucket{Now: b.Now, Rules: b.Rules, Bypass: b.Bypass, count: b.count, objects: map[string][]version{}}
	for name, all := range b.objects {
		next.objects[name] = slices.Clone(all)
	}
	return next
}

func (b *Bucket) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// call begins every call: it locks the bucket, unless the name is bad or ctx has ended.
func (b *Bucket) call(ctx context.Context, act, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", act, name, err)
	}
	if !store.ValidName(name) {
		return fmt.Errorf("%s %q: %w", act, name, store.ErrInvalid)
	}
	b.mu.Lock()
	return nil
}

// newest returns the newest version of a name, nil if there is none that is not deleted.
func (b *Bucket) newest(name string) *version {
	all := b.objects[name]
	if len(all) == 0 || all[len(all)-1].Deleted {
		return nil
	}
	return &all[len(all)-1]
}

func (b *Bucket) add(name string, data []byte, deleted bool) {
	if b.objects == nil {
		b.objects = map[string][]version{}
	}
	b.count++
	sum := sha256.Sum256(data)
	v := version{data: bytes.Clone(data), Version: store.Version{
		Info: store.Info{Name: name, Size: int64(len(data)), Modified: b.now()}, ID: "v" + strconv.Itoa(b.count), Tag: hex.EncodeToString(sum[:]), Deleted: deleted,
	}}
	if b.Rules.Default > 0 && !deleted {
		v.lock = store.Lock{Mode: b.Rules.Mode, Until: b.now().Add(b.Rules.Default)}
	}
	b.objects[name] = append(b.objects[name], v)
}

// Put implements store.Store.
func (b *Bucket) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if len(data) > store.MaxObject {
		return fmt.Errorf("put %q of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	if sha256.Sum256(data) != digest {
		return fmt.Errorf("put %s: %w", name, store.ErrCorrupt)
	}
	if err := b.call(ctx, "put", name); err != nil {
		return err
	}
	defer b.mu.Unlock()
	if b.newest(name) != nil {
		return fmt.Errorf("put %s: %w", name, store.ErrExist)
	}
	b.add(name, data, false)
	return nil
}

// Overwrite implements store.Overwriter.
func (b *Bucket) Overwrite(ctx context.Context, name string, data []byte) error {
	if err := b.call(ctx, "overwrite", name); err != nil {
		return err
	}
	defer b.mu.Unlock()
	b.add(name, data, false)
	return nil
}

// Get implements store.Store.
func (b *Bucket) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if err := b.call(ctx, "get", name); err != nil {
		return dst, err
	}
	defer b.mu.Unlock()
	v := b.newest(name)
	if v == nil {
		return dst, fmt.Errorf("get %s: %w", name, store.ErrNotExist)
	}
	from, n := store.Clip(offset, length, v.Size)
	return append(dst, v.data[from:from+n]...), nil
}

// List implements store.Store.
func (b *Bucket) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for _, v := range b.versions(prefix, after) {
			if !v.Latest || v.Deleted {
				continue
			}
			if ctx.Err() != nil {
				break
			}
			if !yield(v.Info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.Info{}, fmt.Errorf("list %s: %w", prefix, err))
		}
	}
}

// Versions implements store.Locker.
func (b *Bucket) Versions(ctx context.Context, prefix, after string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		for _, v := range b.versions(prefix, after) {
			if ctx.Err() != nil {
				break
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.Version{}, fmt.Errorf("list the versions of %s: %w", prefix, err))
		}
	}
}

func (b *Bucket) versions(prefix, after string) (all []store.Version) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for name := range b.objects {
		if name > after && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for i, v := range slices.Backward(b.objects[name]) {
			v.Latest = i == len(b.objects[name])-1
			all = append(all, v.Version)
		}
	}
	return all
}

// Delete implements store.Store: it marks the object as deleted.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := b.call(ctx, "delete", name); err != nil {
		return err
	}
	defer b.mu.Unlock()
	if b.newest(name) != nil {
		b.add(name, nil, true)
	}
	return nil
}

// find returns a version, the newest if id is empty.
func (b *Bucket) find(act, name, id string) (int, error) {
	all := b.objects[name]
	i := slices.IndexFunc(all, func(v version) bool { return v.ID == id })
	if id == "" {
		i = len(all) - 1
	}
	if i < 0 || all[i].Deleted {
		return i, fmt.Errorf("%s %s: version %s: %w", act, name, id, store.ErrNotExist)
	}
	return i, nil
}

// Protection implements store.Locker.
func (b *Bucket) Protection(ctx context.Context) (store.Protection, error) { return b.Rules, ctx.Err() }

// LockOf implements store.Locker.
func (b *Bucket) LockOf(ctx context.Context, name, id string) (store.Lock, error) {
	if err := b.call(ctx, "read the lock of", name); err != nil {
		return store.Lock{}, err
	}
	defer b.mu.Unlock()
	i, err := b.find("read the lock of", name, id)
	if err != nil {
		return store.Lock{}, err
	}
	return b.objects[name][i].lock, nil
}

// Extend implements store.Locker.
func (b *Bucket) Extend(ctx context.Context, name, id string, to store.Lock) error {
	return b.setLock(ctx, name, id, to, false)
}

// Shorten implements store.Destroyer.
func (b *Bucket) Shorten(ctx context.Context, name, id string, to store.Lock) error {
	return b.setLock(ctx, name, id, to, b.Bypass)
}

func (b *Bucket) setLock(ctx context.Context, name, id string, to store.Lock, bypass bool) error {
	if err := b.call(ctx, "lock", name); err != nil {
		return err
	}
	defer b.mu.Unlock()
	i, err := b.find("lock", name, id)
	if err != nil {
		return err
	}
	v := &b.objects[name][i]
	switch {
	case !b.Rules.Locks || !to.Until.After(b.now()):
		return fmt.Errorf("lock %s until %s: %w", name, to.Until, store.ErrInvalid)
	case v.isLocked(b.now(), bypass) && (to.Until.Before(v.lock.Until) || to.Mode != v.lock.Mode):
		return fmt.Errorf("lock %s until %s, which is less than there is: %w", name, to.Until, store.ErrLocked)
	}
	v.lock = to
	return nil
}

func (v *version) isLocked(now time.Time, bypass bool) bool {
	return v.lock.Until.After(now) && !(bypass && v.lock.Mode == store.Governance)
}

// DeleteVersion implements store.Destroyer.
func (b *Bucket) DeleteVersion(ctx context.Context, name, id string) error {
	if err := b.call(ctx, "delete a version of", name); err != nil {
		return err
	}
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.objects[name], func(v version) bool { return v.ID == id })
	switch {
	case i < 0:
		return nil
	case b.objects[name][i].isLocked(b.now(), b.Bypass):
		return fmt.Errorf("delete a version of %s: %w", name, store.ErrLocked)
	}
	if b.objects[name] = slices.Delete(b.objects[name], i, i+1); len(b.objects[name]) == 0 {
		delete(b.objects, name)
	}
	return nil
}

// Sync implements store.Store; there is nothing to do.
func (b *Bucket) Sync(ctx context.Context) error { return ctx.Err() }

// Location implements store.Store.
func (b *Bucket) Location() string { return "memory:bucket" }

// Ahead implements store.Locker. It supposes that callers have the same clock.
func (b *Bucket) Ahead() time.Duration { return 0 }

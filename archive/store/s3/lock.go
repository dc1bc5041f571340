package s3

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

var (
	_ store.Locker    = (*Store)(nil)
	_ store.Destroyer = (*Store)(nil)
)

// Protection implements store.Locker.
func (s *Store) Protection(ctx context.Context) (store.Protection, error) {
	p, err := s.client.Protection(ctx)
	if err != nil {
		return p, fmt.Errorf("ask how %s protects objects: %w", s.client, err)
	}
	return p, nil
}

// Versions implements store.Locker, with one request for each thousand versions.
func (s *Store) Versions(ctx context.Context, prefix, after string) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		last, given, query := after, map[string]bool{}, bucket.Query{Prefix: s.prefix + prefix, Versions: true}
		if after != "" {
			query.After = s.prefix + after
		}
		for o, err := range s.client.List(ctx, query) {
			if err != nil {
				yield(store.Version{}, s.failed("list the versions of", strconv.Quote(prefix), err))
				return
			}
			name, ours := strings.CutPrefix(o.Key, s.prefix)
			if !ours || !store.ValidName(name) {
				continue
			}
			if name < last {
				err := fmt.Errorf("the server lists %q after %q, out of order: %w", name, last, store.ErrInvalid)
				yield(store.Version{}, s.failed("list the versions of", strconv.Quote(prefix), err))
				return
			}
			if name != last {
				last, given = name, map[string]bool{}
			} else if name == after || given[o.Version] { // versitygw begins a page with the version that ended the one before
				continue
			}
			given[o.Version] = true
			info := store.Info{Name: name, Size: o.Size, Modified: o.Modified}
			if !yield(store.Version{Info: info, ID: o.Version, Tag: o.ETag, Latest: o.Latest, Deleted: o.Deleted}, nil) {
				return
			}
		}
	}
}

func (s *Store) ref(name, version string) bucket.Ref {
	return bucket.Ref{Key: s.prefix + name, Version: version}
}

// LockOf implements store.Locker.
func (s *Store) LockOf(ctx context.Context, name, version string) (store.Lock, error) {
	if !store.ValidName(name) {
		return store.Lock{}, fmt.Errorf("lock of %q: %w", name, store.ErrInvalid)
	}
	lock, err := s.client.LockOf(ctx, s.ref(name, version))
	if err != nil {
		return lock, s.failed("read the lock of", name, err)
	}
	return lock, nil
}

// Extend implements store.Locker.
func (s *Store) Extend(ctx context.Context, name, version string, to store.Lock) error {
	return s.setLock(ctx, "extend the lock of", name, version, to, false)
}

// Shorten implements store.Destroyer.
func (s *Store) Shorten(ctx context.Context, name, version string, to store.Lock) error {
	return s.setLock(ctx, "shorten the lock of", name, version, to, true)
}

func (s *Store) setLock(ctx context.Context, act, name, version string, to store.Lock, bypass bool) error {
	if !store.ValidName(name) {
		return fmt.Errorf("%s %q: %w", act, name, store.ErrInvalid)
	}
	if err := s.client.SetLock(ctx, s.ref(name, version), to, bypass); err != nil {
		return s.failed(act, name, err)
	}
	return nil
}

// DeleteVersion implements store.Destroyer.
func (s *Store) DeleteVersion(ctx context.Context, name, version string) error {
	if !store.ValidName(name) {
		return fmt.Errorf("delete a version of %q: %w", name, store.ErrInvalid)
	}
	if err := s.client.RemoveVersion(ctx, s.ref(name, version)); err != nil {
		return s.failed("delete a version of", name, err)
	}
	return nil
}

// Ahead implements store.Locker.
func (s *Store) Ahead() time.Duration { return s.client.Ahead() }

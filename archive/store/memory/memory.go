// Package memory keeps objects in memory, for tests. It keeps the whole contract of store.Store,
// and adds what tests need: a clock, and a way to change objects behind the store's back.
package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Store is a store.Store in memory. The zero value is empty and ready.
type Store struct {
	// Now returns the time with which Put stamps objects; nil means time.Now. Set it before the
	// first call.
	Now func() time.Time

	mu      sync.RWMutex
	objects map[string]object
}

// object is never changed in place: a write replaces it in the map, so that readers need no copy
// under the lock.
type object struct {
	data     []byte
	modified time.Time
}

// New returns an empty store.
func New() *Store { return &Store{} }

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, digest store.Digest) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	if !store.ValidName(name) || len(data) > store.MaxObject {
		return fmt.Errorf("put %q of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	if sha256.Sum256(data) != digest {
		return fmt.Errorf("put %s: %w", name, store.ErrCorrupt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.objects[name]; found {
		return fmt.Errorf("put %s: %w", name, store.ErrExist)
	}
	s.set(name, data)
	return nil
}

// Overwrite implements store.Overwriter.
func (s *Store) Overwrite(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("overwrite %s: %w", name, err)
	}
	if !store.ValidName(name) || len(data) > store.MaxObject {
		return fmt.Errorf("overwrite %q of %d bytes: %w", name, len(data), store.ErrInvalid)
	}
	s.Set(name, data)
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return dst, fmt.Errorf("get %s: %w", name, err)
	}
	if !store.ValidName(name) {
		return dst, fmt.Errorf("get %q: %w", name, store.ErrInvalid)
	}
	s.mu.RLock()
	object, found := s.objects[name]
	s.mu.RUnlock()
	if !found {
		return dst, fmt.Errorf("get %s: %w", name, store.ErrNotExist)
	}
	from, n := store.Clip(offset, length, int64(len(object.data)))
	return append(dst, object.data[from:from+n]...), nil
}

// List implements store.Store. It yields the objects as they were when the sequence began.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for _, info := range s.infos(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(store.Info{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(store.Info{}, fmt.Errorf("list %s: %w", prefix, err))
		}
	}
}

func (s *Store) infos(prefix, after string) []store.Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var infos []store.Info
	for name, object := range s.objects {
		if name > after && strings.HasPrefix(name, prefix) {
			infos = append(infos, store.Info{Name: name, Size: int64(len(object.data)), Modified: object.modified})
		}
	}
	slices.SortFunc(infos, func(a, b store.Info) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	if !store.ValidName(name) {
		return fmt.Errorf("delete %q: %w", name, store.ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
	return nil
}

// Sync implements store.Store; there is nothing to do.
func (s *Store) Sync(ctx context.Context) error { return ctx.Err() }

// Location implements store.Store.
func (s *Store) Location() string { return "memory:" }

// Set replaces the content of name, or creates it, as someone with write access to the storage or a
// failing disk could. It copies data.
func (s *Store) Set(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(name, data)
}

func (s *Store) set(name string, data []byte) {
	if s.objects == nil {
		s.objects = make(map[string]object)
	}
	s.objects[name] = object{data: bytes.Clone(data), modified: s.now()}
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Clone returns an independent store with the same objects and clock: a copy of the repository at
// this moment.
func (s *Store) Clone() *Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Store{Now: s.Now, objects: maps.Clone(s.objects)}
}

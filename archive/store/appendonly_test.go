package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/memory"
)

// guarded is a store that may forbid to overwrite, to delete and to read.
type guarded struct {
	*memory.Store
	overwrite, delete, read, lies bool
}

func (g *guarded) Overwrite(ctx context.Context, name string, data []byte) error {
	if !g.overwrite && !g.lies {
		return fmt.Errorf("overwrite %s: %w", name, store.ErrDenied)
	}
	if g.lies {
		return nil
	}
	return errors.Join(g.Store.Delete(ctx, name), g.Store.Put(ctx, name, data, sha256.Sum256(data)))
}

func (g *guarded) Delete(ctx context.Context, name string) error {
	if g.lies {
		return nil
	}
	if !g.delete {
		return fmt.Errorf("delete %s: %w", name, store.ErrDenied)
	}
	return g.Store.Delete(ctx, name)
}

func (g *guarded) Get(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if !g.read {
		return dst, fmt.Errorf("get %s: %w", name, store.ErrDenied)
	}
	return g.Store.Get(ctx, name, offset, length, dst)
}

func TestProveAppendOnlyLooksAtWhatBecameOfTheObject(t *testing.T) {
	for name, test := range map[string]struct {
		store guarded
		want  store.Immutable
	}{
		"everything is allowed":     {guarded{overwrite: true, delete: true, read: true}, store.Immutable{Overwritten: true, Deleted: true}},
		"nothing is allowed":        {guarded{read: true}, store.Immutable{}},
		"only overwriting":          {guarded{overwrite: true, read: true}, store.Immutable{Overwritten: true}},
		"only deleting":             {guarded{delete: true, read: true}, store.Immutable{Deleted: true}},
		"answers that are not true": {guarded{lies: true, read: true}, store.Immutable{}},
		"overwriting, not reading":  {guarded{overwrite: true}, store.Immutable{Overwritten: true}},
		"neither, and not reading":  {guarded{}, store.Immutable{}},
		"deleting without reading":  {guarded{delete: true}, store.Immutable{Deleted: true}},
	} {
		t.Run(name, func(t *testing.T) {
			test.store.Store = memory.New()
			got, err := store.ProveAppendOnly(t.Context(), &test.store)
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestProveAppendOnlySaysWhatItCannotTry(t *testing.T) {
	if _, err := store.ProveAppendOnly(t.Context(), struct{ store.Store }{memory.New()}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a store that can't be asked to overwrite: %v, want %v", err, store.ErrInvalid)
	}
}

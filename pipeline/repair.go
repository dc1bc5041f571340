package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// IsContent tells whether an object is named by the hash of its bytes, so that any copy of it can be told from a wrong one.
func IsContent(object string) bool {
	kind, _, _ := strings.Cut(object, "/")
	switch archive.Kind(kind) {
	case archive.Data, archive.Trees, archive.Runs, archive.Refs:
		name, err := archive.ParseName(object[max(0, len(object)-64):])
		return err == nil && archive.Kind(kind).Object(name) == object
	}
	return false
}

// CopyBack puts a content object of another store in the place of one that is damaged or missing. The copy is held against the object's
// name before anything is changed. What is damaged is deleted first, since nothing is ever overwritten: the credentials must allow it.
// archive.ErrDamaged if the other store's copy is no better.
func CopyBack(ctx context.Context, to, from store.Store, object string) error {
	data, err := from.Get(ctx, object, 0, -1, nil)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", object, err)
	}
	digest := sha256.Sum256(data)
	if !strings.HasSuffix(object, archive.Name(digest).String()) {
		return fmt.Errorf("the copy of %s in %s is damaged too: %w", object, from.Location(), archive.ErrDamaged)
	}
	err = to.Put(ctx, object, data, digest)
	if !errors.Is(err, store.ErrExist) {
		return err
	}
	if err := to.Delete(ctx, object); err != nil {
		return fmt.Errorf("make room for a good copy: %w", err)
	}
	return to.Put(ctx, object, data, digest)
}

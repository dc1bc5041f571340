package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// IsContent tells whether an object is named by the hash of its bytes, so that any copy of it can
// be told from a wrong one.
func IsContent(object string) bool {
	_, _, ok := contentOf(object)
	return ok
}

// contentOf tells which content an object holds by its name.
func contentOf(object string) (kind archive.Kind, name archive.Name, ok bool) {
	folder, _, _ := strings.Cut(object, "/")
	switch kind = archive.Kind(folder); kind {
	case archive.Data, archive.Trees, archive.Runs, archive.Refs:
		name, err := archive.ParseName(object[max(0, len(object)-64):])
		return kind, name, err == nil && kind.Object(name) == object
	}
	return "", name, false
}

// CopyAllBack puts the content objects among findings back from another store, and tells problem
// which could not be.
func CopyAllBack(ctx context.Context, to, from store.Store, findings []Finding, problem func(object string, err error)) error {
	for _, f := range findings {
		if !IsContent(f.Object) {
			continue
		}
		if err := CopyBack(ctx, to, from, f.Object); err != nil {
			problem(f.Object, err)
		}
	}
	return to.Sync(ctx)
}

// CopyBack puts a content object of another store in the place of one that is damaged or missing.
// The copy is held against the object's name before anything is changed. What is damaged is deleted
// first, since nothing is ever overwritten: the credentials must allow it. archive.ErrDamaged if
// the other store's copy is no better.
func CopyBack(ctx context.Context, to, from store.Store, object string) error {
	kind, name, ok := contentOf(object)
	if !ok {
		return fmt.Errorf("copy %s back: its name does not tell its content", object)
	}
	data, err := archive.GetContent(ctx, from, kind, name)
	if errors.Is(err, archive.ErrDamaged) {
		return fmt.Errorf("the copy of %s in %s is damaged too: %w", object, from.Location(), archive.ErrDamaged)
	}
	if err != nil {
		return err
	}
	err = to.Put(ctx, object, data, name)
	if !errors.Is(err, store.ErrExist) {
		return err
	}
	if err := to.Delete(ctx, object); err != nil {
		return fmt.Errorf("make room for a good copy: %w", err)
	}
	return to.Put(ctx, object, data, name)
}

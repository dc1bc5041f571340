package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
)

// IsContent reports whether an object is named by the hash of its bytes, so that any copy can be
// verified.
func IsContent(object string) bool {
	_, _, ok := contentOf(object)
	return ok
}

// contentOf returns the kind and hash in the name of a content object.
func contentOf(object string) (kind archive.Kind, name archive.Name, ok bool) {
	folder, _, _ := strings.Cut(object, "/")
	switch kind = archive.Kind(folder); kind {
	case archive.Data, archive.Trees, archive.Runs, archive.Refs:
		name, err := archive.ParseName(object[max(0, len(object)-64):])
		return kind, name, err == nil && kind.Object(name) == object
	}
	return "", name, false
}

// CopyAllBack restores the content objects among findings from another store, each once, and calls
// problem for those that it could not restore. It asks the other store for nothing else: a pack that
// only the index lacks is good.
func CopyAllBack(ctx context.Context, to, from store.Store, findings []Finding, problem func(object string, err error)) error {
	done := map[string]bool{}
	for _, f := range findings {
		if !IsContent(f.Object) || done[f.Object] || errors.Is(f.Err, errUnlisted) {
			continue
		}
		done[f.Object] = true
		if err := CopyBack(ctx, to, from, f.Object); err != nil {
			problem(f.Object, err)
		}
	}
	return to.Sync(ctx)
}

// CopyBack replaces a damaged or missing content object by a copy from another store. It checks the
// copy against the object's name before it changes anything. It overwrites the damaged object, which
// the credentials must allow: were that deleted first, a delete whose answer was lost could arrive
// after the good copy, and take it. It fails with archive.ErrDamaged if the copy is damaged too.
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
	if err := store.Overwrite(ctx, to, object, data); err != nil {
		return fmt.Errorf("put a good copy in the place of a damaged object: %w", err)
	}
	return nil
}

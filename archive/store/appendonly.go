package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Immutable says what the credentials can do to an existing object.
type Immutable struct {
	Overwritten bool // its content is another now
	Deleted     bool // it is gone
}

// ProveAppendOnly puts an object under probe/ and tries to overwrite and to delete it. After each
// attempt it reads the object, since the answer alone proves nothing. It does not look for older
// versions, from which a store that keeps them could bring the content back. If the object cannot
// be deleted, it stays.
func ProveAppendOnly(ctx context.Context, s Store) (Immutable, error) {
	var found Immutable
	over, ok := s.(Overwriter)
	if !ok {
		return found, fmt.Errorf("%s can't be asked to overwrite: %w", s.Location(), ErrInvalid)
	}
	name, body := "probe/"+rand.Text()+"/kept", []byte("packstone proves that this object stays")
	if err := s.Put(ctx, name, body, sha256.Sum256(body)); err != nil {
		return found, fmt.Errorf("put an object to try on: %w", err)
	}
	answer := over.Overwrite(ctx, name, []byte("overwritten"))
	if answer != nil && !isRefusal(answer) {
		return found, fmt.Errorf("try to overwrite: %w", answer)
	}
	there, err := s.Get(ctx, name, 0, -1, nil)
	switch {
	case err == nil:
		found.Overwritten = !bytes.Equal(there, body)
	case errors.Is(err, ErrDenied): // who may not read must believe the answer
		found.Overwritten = answer == nil
	default:
		return found, fmt.Errorf("look at the object: %w", err)
	}
	if err := s.Delete(ctx, name); err != nil && !isRefusal(err) {
		return found, fmt.Errorf("try to delete: %w", err)
	}
	found.Deleted, err = isGone(ctx, s, name)
	return found, err
}

// isRefusal reports whether the storage forbids the call, rather than fails.
func isRefusal(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrExist) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrConflict)
}

func isGone(ctx context.Context, s Store, name string) (bool, error) {
	for info, err := range s.List(ctx, name, "") {
		if err != nil {
			return false, fmt.Errorf("look whether the object is gone: %w", err)
		}
		if info.Name == name {
			return false, nil
		}
	}
	return true, nil
}

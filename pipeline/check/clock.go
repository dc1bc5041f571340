package check

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// Clock writes an object and compares its date with this machine's clock. ahead is how far this
// machine's clock is ahead of the storage's, in whole seconds.
func Clock(ctx context.Context, s store.Store, now func() time.Time) (ahead time.Duration, err error) {
	name := "probe/" + rand.Text() + "/clock"
	before := now()
	if err := s.Put(ctx, name, nil, sha256.Sum256(nil)); err != nil && !errors.Is(err, store.ErrExist) { // it is our own, put twice
		return 0, err
	}
	after := now()
	defer s.Delete(ctx, name) // tidiness: who may not delete leaves it
	for info, err := range s.List(ctx, name, "") {
		if err != nil {
			return 0, err
		}
		return skewOf(info.Modified, before, after).Round(time.Second), nil
	}
	return 0, fmt.Errorf("look at the storage's clock: the object is not listed: %w", store.ErrNotExist)
}

// skewOf returns how far a date in whole seconds is outside of the interval in which it was set.
func skewOf(stored, before, after time.Time) time.Duration {
	switch {
	case stored.Before(before.Add(-time.Second)):
		return before.Sub(stored)
	case stored.After(after.Add(time.Second)):
		return after.Sub(stored)
	}
	return 0
}

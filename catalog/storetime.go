package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// ErrClock: the time of the storage is impossible.
var ErrClock = errors.New("the storage's clock is not reliable")

// longestPause is how long after the last record the storage's time is still believed.
const longestPause = 14 * 24 * time.Hour

// Now returns the storage's time, which decides what is old enough to be forgotten and deleted: the
// date of an object that Now writes, and deletes again if the credentials allow. Now compares it
// with the newest record and config, and fails with ErrClock if it is before them, or long after.
func (r *Repository) Now(ctx context.Context, log *Log) (time.Time, error) {
	now, err := r.storeTime(ctx)
	if err != nil {
		return now, fmt.Errorf("ask for the storage's time: %w", err)
	}
	newest, err := r.newestDate(ctx, log)
	if err != nil {
		return now, fmt.Errorf("ask for the storage's time: %w", err)
	}
	switch {
	case newest.Sub(now) > clockTolerance:
		return now, fmt.Errorf("it says %s, and has an object of %s: %w", now.Format(time.RFC3339), newest.Format(time.RFC3339), ErrClock)
	case now.Sub(newest) > longestPause:
		return now, fmt.Errorf("it says %s, and the newest record is of %s; if that is right, a backup shows it, or a configuration that the owner signs: %w",
			now.Format(time.RFC3339), newest.Format(time.RFC3339), ErrClock)
	}
	return now, nil
}

// storeTime writes an object and returns its date.
func (r *Repository) storeTime(ctx context.Context) (now time.Time, err error) {
	name := "probe/now-" + rand.Text()
	if err := putOwn(ctx, r.Store, name, []byte(name)); err != nil {
		return now, err
	}
	for info, err := range r.Store.List(ctx, name, "") {
		if err != nil {
			return now, err
		}
		now = info.Modified.UTC()
	}
	if err := r.Store.Delete(ctx, name); err != nil && !errors.Is(err, store.ErrDenied) {
		return now, err
	}
	if now.IsZero() {
		return now, fmt.Errorf("%s was stored but is not listed: %w", name, store.ErrNotExist)
	}
	return now, nil
}

// newestDate returns the store's date of the newest record that says something, or config.
func (r *Repository) newestDate(ctx context.Context, log *Log) (newest time.Time, err error) {
	for _, rec := range log.Records {
		if rec.Kind != Tombstone && rec.Stored.After(newest) {
			newest = rec.Stored
		}
	}
	if log.rolled != nil && log.rolled.date.After(newest) {
		newest = log.rolled.date
	}
	for info, err := range r.Store.List(ctx, "config/", "") {
		if err != nil {
			return newest, err
		}
		if info.Modified.After(newest) {
			newest = info.Modified
		}
	}
	return newest, nil
}

package browse

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
)

// Freshness is when a writer was last heard of.
type Freshness struct {
	Writer string
	// Newest is the storage's date of its newest snapshot that is complete and not marked, where
	// records could be read; else of its newest record, which may be of a backup that never ended.
	// Zero: there is none.
	Newest time.Time
}

// FreshnessOf says when each writer that is not revoked has last committed a complete snapshot that
// no tripwire marked. It needs no key: a commit says so in clear, and is signed.
func FreshnessOf(ctx context.Context, repo *catalog.Repository) ([]Freshness, error) {
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return nil, err
	}
	newest := map[string]time.Time{}
	for _, w := range writersOf(repo, log) {
		if !w.Revoked {
			newest[w.Name] = time.Time{}
		}
	}
	for _, rec := range log.Records {
		last, counts := newest[rec.Lane.Writer]
		if counts && rec.Kind == catalog.Commit && rec.Complete && !rec.Marked && rec.Date.After(last) {
			newest[rec.Lane.Writer] = rec.Date
		}
	}
	return Sorted(newest), nil
}

// Sorted are writers by name, each with when it was last heard of.
func Sorted(newest map[string]time.Time) (all []Freshness) {
	for _, writer := range slices.Sorted(maps.Keys(newest)) {
		all = append(all, Freshness{writer, newest[writer]})
	}
	return all
}

package browse

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
)

// Freshness is when a writer last wrote.
type Freshness struct {
	Writer string
	// Newest is the storage's date of the writer's newest snapshot that is complete and not marked,
	// if records could be read; otherwise of its newest record, which may belong to a backup that
	// never ended. It is zero if there is none.
	Newest time.Time
}

// FreshnessOf returns when each writer that is not revoked last committed a complete snapshot that
// no tripwire marked. It needs no key: commits say this in their signed clear part.
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

// Sorted returns writers sorted by name, each with its newest date.
func Sorted(newest map[string]time.Time) (all []Freshness) {
	for _, writer := range slices.Sorted(maps.Keys(newest)) {
		all = append(all, Freshness{writer, newest[writer]})
	}
	return all
}

package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// LastHeard returns when the newest record of each writer was stored. It only lists: it reads and
// verifies nothing, and includes members who are not writers. It does not see writers all of whose
// records were rolled up. It fails with ErrNoRepository if the store has no object of a repository.
func LastHeard(ctx context.Context, s store.Store) (map[string]time.Time, error) {
	newest := map[string]time.Time{}
	for info, err := range s.List(ctx, "log/", "") {
		if err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		if lane, _, ok := parseRecordName(info.Name); ok && info.Modified.After(newest[lane.Writer]) {
			newest[lane.Writer] = info.Modified
		}
	}
	if len(newest) > 0 {
		return newest, nil
	}
	for _, err := range s.List(ctx, "config/", "") {
		return newest, err
	}
	return nil, ErrNoRepository
}

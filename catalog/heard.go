package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
)

// LastHeard says when the newest record of each writer was stored, from a listing alone: nothing is
// read and nothing is checked, and members other than writers are among them. Writers all of whose
// records were rolled up are not seen. ErrNoRepository if there is nothing that a repository has.
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

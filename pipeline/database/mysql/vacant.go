package mysql

import (
	"context"
	"fmt"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Vacancy = (*target)(nil)

// Vacant refuses a database that holds something, but for leavings that are to be dropped.
func (t *target) Vacant(ctx context.Context) error {
	held, err := t.contents(ctx)
	leftover := slices.Contains(held, "table "+markerTable)
	switch {
	case err != nil:
		return fmt.Errorf("look whether the database is empty: %w", translate(err))
	case len(held) == 0, leftover && t.opts.EmptyLeftover:
		return nil
	case leftover:
		return fmt.Errorf("%w: %w (its table %s lists it)", database.ErrNotEmpty, database.ErrLeftover, markerTable)
	}
	return fmt.Errorf("%w: it holds %s", database.ErrNotEmpty, some(held))
}

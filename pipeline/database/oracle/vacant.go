package oracle

import (
	"context"
	"errors"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Vacancy = (*target)(nil)

// Vacant refuses a schema that holds something, but for leavings that are to be dropped.
func (t *target) Vacant(ctx context.Context) error {
	err := t.refuseNonEmpty(ctx)
	if t.leftover && errors.Is(err, database.ErrLeftover) {
		return nil
	}
	return err
}

package postgres

import (
	"context"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Vacancy = (*target)(nil)

// Vacant refuses a database that holds something.
func (t *target) Vacant(ctx context.Context) error { return t.refuseNonEmpty(ctx) }

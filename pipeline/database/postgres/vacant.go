package postgres

import (
	"context"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Vacancy = (*target)(nil)

// Vacant refuses a database that holds something, but for leavings that are to be dropped.
func (t *target) Vacant(ctx context.Context) error {
	marked, _, _, err := isMarked(ctx, t.conn)
	switch {
	case err != nil:
		return t.at.Wrap("look into", t.translate(err))
	case marked && t.opts.EmptyLeftover:
		return nil
	case marked:
		return t.at.Wrap("import into", errLeftover())
	}
	return t.refuseNonEmpty(ctx)
}

package sqlserver

import (
	"context"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

var _ database.Vacancy = (*target)(nil)

// Vacant refuses a database that holds something.
func (t *target) Vacant(ctx context.Context) error { return t.refuseFilled(ctx, t.conn) }

func (t *target) refuseFilled(ctx context.Context, in sqlengine.Queryer) error {
	var found []string
	err := sqlengine.Each(ctx, in, contentSQL, func(row []string) error { found = append(found, row[0]); return nil })
	if err != nil {
		return fmt.Errorf("look into database %s: %w", t.server.name, translate(err))
	}
	if len(found) > 0 {
		return fmt.Errorf("import into database %s: %w: it holds %s", t.server.name, database.ErrNotEmpty, strings.Join(found, ", "))
	}
	return nil
}

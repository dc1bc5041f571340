package sqlite

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Vacancy = (*target)(nil)

// Vacant refuses a file that is there.
func (t *target) Vacant(context.Context) error {
	if t.conn != nil {
		return fmt.Errorf("write %s: %w: the file is there already", t.path, database.ErrNotEmpty)
	}
	return nil
}

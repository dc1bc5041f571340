package convert

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// ErrUnmatched: a pattern of a filter matches no table.
var ErrUnmatched = errors.New("no table matches")

// RefuseNothing refuses to copy nothing: with ErrUnmatched if patterns match no table, and a SQLite
// file without tables.
func RefuseNothing(ctx context.Context, src database.Source, filter database.Filter) error {
	schema, err := src.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the source's schema: %w", err)
	}
	if unmatched := filter.Unmatched(schema); len(unmatched) > 0 {
		return fmt.Errorf("%w %s", ErrUnmatched, strings.Join(unmatched, ", "))
	}
	if schema.Engine == database.SQLite && len(schema.Tables)+len(schema.Objects) == 0 {
		return errors.New("the SQLite file holds no tables")
	}
	return nil
}

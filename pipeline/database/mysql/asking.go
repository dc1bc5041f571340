package mysql

import (
	"context"

	"github.com/packstone/packstone/pipeline/database"
)

// asking runs a person's own SQL.
type asking struct{ *session }

// OpenSession connects; see [database.Asker].
func (Driver) OpenSession(ctx context.Context, at database.Location) (database.Session, error) {
	config, err := configure(at)
	if err != nil {
		return nil, err
	}
	s, err := connect(ctx, config)
	if err != nil {
		return nil, at.Wrap("connect to", translate(err))
	}
	return asking{s}, nil
}

// Ask implements database.Session.
func (a asking) Ask(ctx context.Context, sql string) (value string, found bool, err error) {
	seen := false
	err = a.texts(ctx, sql, func(row []string, null []bool) error {
		if !seen && len(row) > 0 {
			value, found = row[0], !null[0]
		}
		seen = true
		return nil
	})
	return value, found, translate(err)
}

// Exec implements database.Session.
func (a asking) Exec(ctx context.Context, sql string) (changed int64, err error) {
	changed, err = a.affect(ctx, sql)
	return changed, translate(err)
}

// Close implements database.Session.
func (a asking) Close() error {
	a.close()
	return nil
}

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// session runs a person's own SQL, with the settings of the server.
type session struct{ conn *pgx.Conn }

// OpenSession connects; see [database.Asker].
func (Driver) OpenSession(ctx context.Context, at database.Location) (database.Session, error) {
	config, err := pgx.ParseConfig(at.Reveal())
	if err != nil {
		return nil, at.Wrap("connect to", errors.New("the URL is not one that PostgreSQL understands"))
	}
	conn, err := logIn(ctx, config)
	if err != nil {
		return nil, at.Wrap("connect to", translate(err))
	}
	return session{conn}, nil
}

// Ask implements database.Session.
func (s session) Ask(ctx context.Context, sql string) (value string, found bool, err error) {
	results := s.conn.PgConn().Exec(ctx, sql)
	for first := true; results.NextResult(); {
		for reader := results.ResultReader(); reader.NextRow(); first = false {
			if values := reader.Values(); first && len(values) > 0 && values[0] != nil {
				value, found = string(values[0]), true
			}
		}
	}
	return value, found, translate(results.Close())
}

// Exec implements database.Session.
func (s session) Exec(ctx context.Context, sql string) (changed int64, err error) {
	tag, err := s.conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return tag.RowsAffected(), translate(err)
}

// Close implements database.Session.
func (s session) Close() error { return s.conn.Close(context.Background()) }

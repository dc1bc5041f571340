package sqlite

import (
	"context"
	"io/fs"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// session runs a person's own SQL.
type session struct{ conn *sqlite3.Conn }

// OpenSession opens a file that is there; see [database.Asker].
func (Driver) OpenSession(ctx context.Context, at database.Location) (database.Session, error) {
	if filled, err := fileState(at.Reveal()); err != nil || !filled {
		if err == nil {
			err = fs.ErrNotExist
		}
		return nil, at.Wrap("open", err)
	}
	conn, err := open(ctx, at.Reveal(), "rw")
	if err != nil {
		return nil, at.Wrap("open", translate(err))
	}
	return session{conn}, nil
}

// Ask implements database.Session.
func (s session) Ask(ctx context.Context, sql string) (value string, found bool, err error) {
	defer s.conn.SetInterrupt(s.conn.SetInterrupt(ctx))
	seen := false
	err = query(s.conn, sql, func(row *sqlite3.Stmt) error {
		if !seen && row.ColumnCount() > 0 {
			value, found = row.ColumnText(0), row.ColumnType(0) != sqlite3.NULL
		}
		seen = true
		return nil
	})
	return value, found, translate(err)
}

// Exec implements database.Session.
func (s session) Exec(ctx context.Context, sql string) (changed int64, err error) {
	defer s.conn.SetInterrupt(s.conn.SetInterrupt(ctx))
	before := s.conn.TotalChanges()
	err = executeOne(s.conn, sql)
	return s.conn.TotalChanges() - before, translate(err)
}

// Close implements database.Session.
func (s session) Close() error { return s.conn.Close() }

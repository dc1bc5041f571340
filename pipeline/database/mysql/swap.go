package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Swapper = Driver{}

// swap moves tables between databases, since this server renames no databases.
type swap struct {
	at      database.Location
	name    string
	session *session
}

// OpenSwap connects to the server; see [database.Swapper].
func (Driver) OpenSwap(ctx context.Context, at database.Location) (database.Swap, error) {
	config, err := configure(at)
	if err != nil {
		return nil, err
	}
	name := config.DBName
	s, err := openSwap(ctx, config)
	if err != nil {
		return nil, at.Wrap("connect to the server of", translate(err))
	}
	return &swap{at: at, name: name, session: s}, nil
}

// openSwap connects without a database.
func openSwap(ctx context.Context, config *client.Config) (*session, error) {
	config.DBName = ""
	s, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := s.exec(ctx, "SET SESSION foreign_key_checks = 0, SESSION lock_wait_timeout = 600"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// Name implements database.Swap.
func (s *swap) Name() string { return s.name }

// At implements database.Swap.
func (s *swap) At(name string) (database.Location, error) { return s.at.Named(name) }

// Close implements database.Swap.
func (s *swap) Close() error { s.session.close(); return nil }

func (s *swap) wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	return s.at.Wrap(act, translate(err))
}

// list gives one column of a query.
func (s *swap) list(ctx context.Context, sql string) (out []string, err error) {
	err = s.session.texts(ctx, sql, func(row []string, _ []bool) error {
		out = append(out, row[0])
		return nil
	})
	return out, s.wrap("look into", err)
}

// tables are the names of what RENAME TABLE moves: tables, and sequences of MariaDB.
func (s *swap) tables(ctx context.Context, name string) ([]string, error) {
	return s.list(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW') AND TABLE_SCHEMA = "+quoteText(name)+" ORDER BY TABLE_NAME")
}

// fixed are the names of what cannot be moved to another database.
func (s *swap) fixed(ctx context.Context, name string) ([]string, error) {
	in := " = " + quoteText(name)
	return s.list(ctx, "SELECT CONCAT('view ', TABLE_NAME) FROM information_schema.VIEWS WHERE TABLE_SCHEMA"+in+
		" UNION ALL SELECT CONCAT('trigger ', TRIGGER_NAME) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA"+in+
		" UNION ALL SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA"+in+
		" UNION ALL SELECT CONCAT('event ', EVENT_NAME) FROM information_schema.EVENTS WHERE EVENT_SCHEMA"+in)
}

// Holds implements database.Swap. An empty database is as good as none.
func (s *swap) Holds(ctx context.Context, name string) (bool, error) {
	tables, err := s.tables(ctx, name)
	if err != nil || len(tables) > 0 {
		return len(tables) > 0, err
	}
	fixed, err := s.fixed(ctx, name)
	return len(fixed) > 0, err
}

// Ready implements database.Swap.
func (s *swap) Ready(ctx context.Context, fresh string) error {
	if err := s.refuseFixed(ctx, s.name); err != nil || fresh == "" {
		return err
	}
	return s.refuseFixed(ctx, fresh)
}

func (s *swap) refuseFixed(ctx context.Context, name string) error {
	fixed, err := s.fixed(ctx, name)
	if err != nil || len(fixed) == 0 {
		return err
	}
	return s.at.Wrap("swap", fmt.Errorf("%w: this server moves tables only, and %s holds %s; let the platform use a new database: "+
		"create one, restore into it with --map SOURCE=URL, and change the platform's settings", database.ErrNoSwap, name, some(fixed)))
}

// Make implements database.Swap.
func (s *swap) Make(ctx context.Context, name string) error {
	like, err := s.list(ctx, "SELECT CONCAT(' CHARACTER SET ', DEFAULT_CHARACTER_SET_NAME, ' COLLATE ', DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoteText(s.name))
	if err != nil {
		return err
	}
	return s.wrap("make a database beside", s.session.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(name)+strings.Join(like, "")))
}

// Exchange implements database.Swap. All tables go in one statement.
func (s *swap) Exchange(ctx context.Context, aside, fresh string) error {
	var moves []string
	for _, way := range [][2]string{{s.name, aside}, {fresh, s.name}} {
		if way[0] == "" {
			continue
		}
		if err := s.refuseFixed(ctx, way[0]); err != nil {
			return err
		}
		tables, err := s.tables(ctx, way[0])
		if err != nil {
			return err
		}
		if len(tables) == 0 {
			continue
		}
		if err := s.Make(ctx, way[1]); err != nil {
			return err
		}
		for _, table := range tables {
			moves = append(moves, quote(way[0])+"."+quote(table)+" TO "+quote(way[1])+"."+quote(table))
		}
	}
	if len(moves) == 0 {
		return nil
	}
	return s.wrap("exchange the tables of", s.session.exec(ctx, "RENAME TABLE "+strings.Join(moves, ", ")))
}

// Reopen implements database.Swap.
func (s *swap) Reopen(context.Context) error { return nil }

// Drop implements database.Swap.
func (s *swap) Drop(ctx context.Context, name string) error {
	if name == s.name {
		return s.wrap("drop", errors.New("it is the living one"))
	}
	return s.wrap("drop a database beside", s.session.exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)))
}

// DropSQL implements database.Swap.
func (s *swap) DropSQL(name string) string { return "DROP DATABASE " + quote(name) }

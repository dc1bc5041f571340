package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/packstone/packstone/pipeline/database"
)

// Driver opens PostgreSQL databases: postgres:// and postgresql:// URLs.
type Driver struct{}

// settings make every session print the same text and hide nothing. A reader
// to whom row-level security applies gets an error instead of fewer rows.
var settings = map[string]string{
	"application_name": "packstone", "client_encoding": "UTF8", "timezone": "UTC",
	"datestyle": "ISO, MDY", "intervalstyle": "iso_8601", "extra_float_digits": "3",
	"bytea_output": "hex", "quote_all_identifiers": "off", "lc_monetary": "C", "search_path": "",
	"row_security": "off", "synchronize_seqscans": "off", "statement_timeout": "0",
	"lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
	"check_function_bodies": "off", "xmloption": "content", "standard_conforming_strings": "on",
}

// connect opens a session with our settings.
func connect(ctx context.Context, at database.Location) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(at.Reveal())
	if err != nil {
		return nil, at.Wrap("connect to", errors.New("the URL is not one that PostgreSQL understands"))
	}
	for name, value := range settings {
		if name != "row_security" { // not every pooler passes all of them at start
			config.RuntimeParams[name] = value
		}
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.BuildFrontend = newFrontend
	conn, err := logIn(ctx, config)
	if err != nil {
		return nil, at.Wrap("connect to", translate(err))
	}
	if _, err := conn.Exec(ctx, "SET row_security = off; SET search_path = ''; "+ofNewer); err != nil {
		conn.Close(ctx)
		return nil, at.Wrap("set up the session of", translate(err))
	}
	return conn, nil
}

// logIn is how every session begins. The client tries all addresses, with and without TLS, one after
// the other; each has its time, so that one that is away leaves some to the next.
func logIn(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = database.LoginTime
	}
	limit := config.ConnectTimeout * time.Duration(1+len(config.Fallbacks))
	return database.LogIn(ctx, limit, func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, config) })
}

// ofNewer does for newer servers what settings do for all: their names would be errors elsewhere.
// To compile the queries of the catalog takes longer than to run them.
const ofNewer = `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout', 'jit')`

// translate puts the seam's sentinel on a server's error.
func translate(err error) error {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, database.ErrUnreachable):
		return err
	case errors.As(err, &pg):
		return translateCode(pg, err)
	}
	var network net.Error
	var connect *pgconn.ConnectError
	if errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed) {
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	}
	return err
}

func translateCode(pg *pgconn.PgError, err error) error {
	switch {
	case pg.Code == "42501" && pg.Routine == "check_enable_rls":
		return fmt.Errorf("%w: %w", database.ErrHiddenRows, err)
	case strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "28") || strings.HasPrefix(pg.Code, "57") || pg.Code == "3D000":
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	}
	return err
}

// translateWritten is translate for what a target says of values that it was given.
func translateWritten(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || pg.Code == "23514" || pg.Code == "23502") {
		return fmt.Errorf("%w: %w", database.ErrValue, describe(pg))
	}
	return translate(err)
}

// describe adds what PostgreSQL says about the place of an error.
func describe(pg *pgconn.PgError) error {
	if pg.Where == "" {
		return pg
	}
	return fmt.Errorf("%w (%s)", pg, pg.Where)
}

// quote quotes a name; qualified quotes a schema and a name.
func quote(name string) string { return database.Quote(database.Postgres, name) }

func qualified(schema, name string) string {
	if schema == "" {
		return quote(name)
	}
	return quote(schema) + "." + quote(name)
}

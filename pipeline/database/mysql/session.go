package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

// server is what we know about the other side.
type server struct {
	engine    string // database.MySQL or database.MariaDB
	version   string
	number    int // 10.11.19 is 101119
	packet    int64
	local     bool // LOAD DATA LOCAL is allowed
	lowerCase bool // table names are stored in lower case
	strict    bool // innodb_strict_mode
}

func (s server) mariadb() bool { return s.engine == database.MariaDB }

// session is one connection with our settings. It is used by one goroutine at a
// time.
type session struct {
	conn   driver.Conn
	server server
}

// fillMode is the sql_mode of our sessions: zeros and impossible dates are
// stored as they are.
const fillMode = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"

// connect opens a session. Its settings make every server print the same text,
// wait for slow readers and accept MySQL's impossible dates.
func connect(ctx context.Context, config *client.Config) (*session, error) {
	connector, err := client.NewConnector(config.Clone())
	if err != nil {
		return nil, fmt.Errorf("configure the client: %w", err)
	}
	conn, err := database.LogIn(ctx, database.LoginTime, connector.Connect)
	if err != nil {
		switch {
		case errors.Is(err, database.ErrUnreachable):
		case errors.Is(err, client.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, client.ErrMalformPkt):
			err = fmt.Errorf("%w: what answers at %s does not speak as MySQL and MariaDB do: %w", database.ErrUnreachable, config.Addr, err)
		case number(err) == 0:
			err = fmt.Errorf("%w: %w", database.ErrUnreachable, err)
		}
		return nil, err
	}
	s := &session{conn: conn}
	if err := s.setUp(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("set up the session: %w", err)
	}
	return s, nil
}

func (s *session) setUp(ctx context.Context) error {
	if err := s.exec(ctx, "SET NAMES utf8mb4"); err != nil {
		return err
	}
	if err := s.resetModes(ctx); err != nil {
		return err
	}
	if err := s.exec(ctx, `SET SESSION net_write_timeout = 3600, SESSION net_read_timeout = 3600, SESSION wait_timeout = 2147483,
		SESSION sql_quote_show_create = 1, SESSION sql_big_selects = 1, SESSION lock_wait_timeout = 60, SESSION sql_select_limit = DEFAULT,
		SESSION transaction_isolation = 'REPEATABLE-READ'`); err != nil {
		if number(err) != errUnknownVariable {
			return err
		}
		// MariaDB before 11.1 calls the last one by another name.
		if err := s.exec(ctx, `SET SESSION net_write_timeout = 3600, SESSION net_read_timeout = 3600, SESSION wait_timeout = 2147483,
			SESSION sql_quote_show_create = 1, SESSION sql_big_selects = 1, SESSION lock_wait_timeout = 60, SESSION sql_select_limit = DEFAULT,
			SESSION tx_isolation = 'REPEATABLE-READ'`); err != nil {
			return err
		}
	}
	// Settings that only some servers have, or only some users may change.
	for _, name := range []string{
		"max_statement_time = 0", "max_execution_time = 0", "idle_transaction_timeout = 0",
		"idle_readonly_transaction_timeout = 0", "information_schema_stats_expiry = 0",
		"explicit_defaults_for_timestamp = 1",
	} {
		switch err := s.exec(ctx, "SET SESSION "+name); number(err) {
		case errUnknownVariable, errPrivilege, errWrongScope:
		default:
			if err != nil {
				return err
			}
		}
	}
	return s.identify(ctx)
}

// resetModes restores what replayed DDL may have changed.
func (s *session) resetModes(ctx context.Context) error {
	return s.exec(ctx, "SET SESSION sql_mode = '"+fillMode+"', SESSION time_zone = '+00:00'")
}

func (s *session) identify(ctx context.Context) error {
	row, err := s.row(ctx, "SELECT VERSION(), @@max_allowed_packet, @@local_infile, @@lower_case_table_names, @@innodb_strict_mode")
	if err != nil {
		return err
	}
	s.server = parseVersion(row[0])
	s.server.packet, _ = strconv.ParseInt(row[1], 10, 64)
	s.server.local, s.server.lowerCase, s.server.strict = row[2] == "1", row[3] == "1", row[4] == "1"
	return nil
}

func parseVersion(text string) server {
	s := server{engine: database.MySQL}
	if strings.Contains(text, "MariaDB") {
		s.engine = database.MariaDB
		text = strings.TrimPrefix(text, "5.5.5-")
	}
	s.version, _, _ = strings.Cut(text, "-")
	for _, part := range strings.SplitN(s.version+".0.0", ".", 4)[:3] {
		n, _ := strconv.Atoi(part)
		s.number = s.number*100 + n
	}
	return s
}

func (s *session) close() { s.conn.Close() }

// exec runs a statement.
func (s *session) exec(ctx context.Context, sql string) error {
	_, err := s.affect(ctx, sql)
	return err
}

// run runs statements in their order.
func (s *session) run(ctx context.Context, statements []string) error {
	for _, sql := range statements {
		if err := s.exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// affect runs a statement and counts the rows that it concerned.
func (s *session) affect(ctx context.Context, sql string) (int64, error) {
	result, err := s.conn.(driver.ExecerContext).ExecContext(ctx, sql, nil)
	if err != nil {
		return 0, lost(err)
	}
	return result.RowsAffected()
}

// prepared runs a statement once with values for its marks.
func (s *session) prepared(ctx context.Context, sql string, values []driver.NamedValue) (int64, error) {
	stmt, err := s.conn.(driver.ConnPrepareContext).PrepareContext(ctx, sql)
	if err != nil {
		return 0, lost(err)
	}
	defer stmt.Close()
	result, err := stmt.(driver.StmtExecContext).ExecContext(ctx, values)
	if err != nil {
		return 0, lost(err)
	}
	return result.RowsAffected()
}

// each gives every row of a query to f; the values are valid until f returns.
func (s *session) each(ctx context.Context, sql string, f func([]driver.Value) error) error {
	// Closing unread rows would read them all; cancelling closes the connection.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := s.conn.(driver.QueryerContext).QueryContext(ctx, sql, nil)
	if err != nil {
		return lost(err)
	}
	return drain(cancel, rows, f)
}

// eachBinary is each by the binary protocol: one more round trip, and no number is printed by the
// server to be parsed here.
func (s *session) eachBinary(ctx context.Context, sql string, f func([]driver.Value) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stmt, err := s.conn.(driver.ConnPrepareContext).PrepareContext(ctx, sql)
	if err != nil {
		return lost(err)
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, nil)
	if err != nil {
		return errors.Join(lost(err), stmt.Close())
	}
	if err := drain(cancel, rows, f); err != nil {
		return err
	}
	return lost(stmt.Close())
}

// drain gives all rows to f. After an error of f or of the connection, cancel closes that.
func drain(cancel context.CancelFunc, rows driver.Rows, f func([]driver.Value) error) error {
	values := make([]driver.Value, len(rows.Columns()))
	for {
		err := rows.Next(values)
		if err == io.EOF {
			return rows.Close()
		}
		if number(err) != 0 { // with which the server ends the rows
			rows.Close()
			return err
		}
		if err != nil {
			err = lost(err)
		} else {
			err = f(values)
		}
		if errors.Is(err, database.ErrRebase) {
			// The table is asked for again, in a snapshot that only this connection is in.
			return errors.Join(err, lost(rows.Close()))
		}
		if err != nil {
			cancel()
			rows.Close()
			return err
		}
	}
}

// lost explains what the client calls a bad connection.
func lost(err error) error {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, client.ErrInvalidConn) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the connection was lost: %w", database.ErrUnreachable, err)
	}
	return err
}

// texts runs a query for rows of text; null is the empty string, which isNull
// tells apart where it matters.
func (s *session) texts(ctx context.Context, sql string, f func(row []string, null []bool) error) error {
	var row []string
	var null []bool
	return s.each(ctx, sql, func(values []driver.Value) error {
		row, null = row[:0], null[:0]
		for _, v := range values {
			row, null = append(row, text(v)), append(null, v == nil)
		}
		return f(row, null)
	})
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return fmt.Sprint(v)
}

var errNoRow = errors.New("the server gave no row")

// row runs a query for its first row.
func (s *session) row(ctx context.Context, sql string) ([]string, error) {
	var out []string
	err := s.texts(ctx, sql, func(row []string, _ []bool) error {
		if out == nil {
			out = append(out, row...)
		}
		return nil
	})
	if err == nil && out == nil {
		err = errNoRow
	}
	return out, err
}

// value runs a query for one value; it is empty where there is no row.
func (s *session) value(ctx context.Context, sql string) (string, error) {
	row, err := s.row(ctx, sql)
	if errors.Is(err, errNoRow) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return row[0], nil
}

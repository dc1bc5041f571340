package sqlengine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Client is how an engine's server is talked to.
type Client struct {
	Engine string
	// Number is the server's number of an error, 0 for an error that is not the
	// server's.
	Number func(error) int
	// Explain puts a sentinel of package database, or a plain word, on an error
	// of the server.
	Explain func(number int, err error) error
}

// Translate explains an error of the server and marks one of the network.
func (c Client) Translate(err error) error {
	switch n := c.Number(err); {
	case n != 0:
		return c.Explain(n, err)
	case broken(err):
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	}
	return err
}

// Connect takes a connection and runs statements that set it up.
func (c Client) Connect(ctx context.Context, db *sql.DB, settings ...string) (*sql.Conn, error) {
	conn, err := database.LogIn(ctx, database.LoginTime, db.Conn)
	if err != nil {
		if errors.Is(err, database.ErrUnreachable) {
			return nil, err
		}
		if c.Number(err) == 0 {
			return nil, fmt.Errorf("%w: %w", database.ErrUnreachable, err)
		}
		return nil, c.Translate(err)
	}
	for _, one := range settings {
		if _, err := conn.ExecContext(ctx, one); err != nil {
			conn.Close()
			return nil, fmt.Errorf("set up the session: %w", c.Translate(err))
		}
	}
	return conn, nil
}

// Lost says that the connection is gone.
func (c Client) Lost(err error) bool { return errors.Is(c.Translate(err), database.ErrUnreachable) }

// broken says that an error comes from the network or a connection that is
// closed.
func broken(err error) bool {
	var network net.Error
	if errors.As(err, &network) {
		return true
	}
	for _, known := range []error{driver.ErrBadConn, io.ErrUnexpectedEOF, io.EOF, sql.ErrConnDone} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// Question is a query of a catalog.
type Question struct {
	What string // for people: the plural of what it lists
	SQL  string
	Args []any
	Row  func([]string) error
}

// Ask asks one question after another.
func (c Client) Ask(ctx context.Context, q Queryer, list ...Question) error {
	for _, one := range list {
		if err := Each(ctx, q, one.SQL, one.Row, one.Args...); err != nil {
			return fmt.Errorf("read the catalog's %s: %w", one.What, c.Translate(err))
		}
	}
	return nil
}

// ErrNoColumn says that the catalog does not list a column.
var ErrNoColumn = errors.New("is not in the catalog")

// ReadTable sends a table's rows in the order that it declares. from is the
// table in SQL with the alias t; reading says how a column is read. An error of
// send comes back as it is.
func (c Client) ReadTable(ctx context.Context, q Queryer, t *database.Table, from string, reading func(*database.Column) (Reading, error), send func(*database.Batch) error) error {
	names, readings := make([]string, len(t.Columns)), make([]Reading, len(t.Columns))
	for i, column := range t.Columns {
		r, err := reading(column)
		if err != nil {
			return fmt.Errorf("column %s.%s %w", t.ID(), column.Name, err)
		}
		names[i], readings[i] = column.Name, r
	}
	query := "SELECT " + strings.Join(Expressions(readings), ", ") + " FROM " + from + c.order(t)
	var failed error
	err := Rows(ctx, q, query, names, readings, func(b *database.Batch) error {
		failed = send(b)
		return failed
	})
	if failed != nil {
		return failed
	}
	return c.Translate(err)
}

func (c Client) order(t *database.Table) string {
	if len(t.Order) == 0 {
		return ""
	}
	order := make([]string, len(t.Order))
	for i, name := range t.Order {
		order[i] = "t." + database.Quote(c.Engine, name)
	}
	return " ORDER BY " + strings.Join(order, ", ")
}

// Clamp reads a whole number of any size into 64 bits; no text is 0.
func Clamp(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil, text == "":
		return n
	case strings.HasPrefix(text, "-"):
		return math.MinInt64
	}
	return math.MaxInt64
}

// Package scripted is a database/sql driver for tests that have no server. A
// test writes down which statements it expects, with which arguments, and what
// each is answered. A statement that is not expected, and one that is expected
// but never comes, fail the test.
package scripted

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Script is a list of expectations. Those of Expect come in order; those of
// Anytime whenever, as often as they like, where the next in order does not fit.
type Script struct {
	t       testing.TB
	mu      sync.Mutex
	steps   []*Step
	at      int
	anytime []*Step
	Seen    []string // statements in the order in which they came
	opened  int
	closed  int
	refuse  error
}

// Step is one expectation and its answer.
type Step struct {
	exact   string
	pattern *regexp.Regexp
	args    []any
	checked bool
	rows    [][]any
	columns int
	err     error
	late    error // after the rows
	affect  int64
}

// New begins a script whose steps must all be reached when the test ends.
func New(t testing.TB) *Script {
	s := &Script{t: t}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, step := range s.steps[s.at:] {
			t.Errorf("never came: %s", step)
		}
		if s.opened != s.closed {
			t.Errorf("%d connections were opened and %d closed", s.opened, s.closed)
		}
	})
	return s
}

// DB opens a database that follows the script. BEGIN, COMMIT and ROLLBACK are
// statements of it; BEGIN names the isolation level, if any.
func (s *Script) DB() *sql.DB { return sql.OpenDB(connector{s}) }

// RefuseConnections makes every later connection fail.
func (s *Script) RefuseConnections(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

// Expect adds the next statement; white space is compared as one blank. A text
// between slashes is a regular expression.
func (s *Script) Expect(statement string) *Step {
	step := newStep(statement)
	s.steps = append(s.steps, step)
	return step
}

// Anytime adds a statement that may come whenever.
func (s *Script) Anytime(statement string) *Step {
	step := newStep(statement)
	s.anytime = append(s.anytime, step)
	return step
}

func newStep(statement string) *Step {
	if len(statement) > 2 && statement[0] == '/' && strings.HasSuffix(statement, "/") {
		return &Step{pattern: regexp.MustCompile(statement[1 : len(statement)-1])}
	}
	return &Step{exact: squeeze(statement)}
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// With demands these arguments.
func (s *Step) With(args ...any) *Step {
	s.args, s.checked = args, true
	return s
}

// Rows answers with rows.
func (s *Step) Rows(rows ...[]any) *Step {
	s.rows = rows
	if len(rows) > 0 {
		s.columns = len(rows[0])
	}
	return s
}

// Then makes the answer fail after its rows.
func (s *Step) Then(err error) *Step {
	s.late = err
	return s
}

// Fails answers with an error.
func (s *Step) Fails(err error) *Step {
	s.err = err
	return s
}

// String prints what is expected.
func (s *Step) String() string {
	if s.pattern != nil {
		return "/" + s.pattern.String() + "/"
	}
	return s.exact
}

func (s *Step) fits(statement string) bool {
	if s.pattern != nil {
		return s.pattern.MatchString(statement)
	}
	return s.exact == squeeze(statement)
}

// answer finds the step for a statement.
func (s *Script) answer(statement string, args []driver.NamedValue) (*Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Seen = append(s.Seen, statement)
	step := s.find(statement)
	if step == nil {
		next := "nothing"
		if s.at < len(s.steps) {
			next = s.steps[s.at].String()
		}
		s.t.Errorf("unexpected statement:\n    %s\nexpected:\n    %s", squeeze(statement), next)
		return nil, errors.New("scripted: unexpected statement")
	}
	if step.checked {
		s.check(statement, step, args)
	}
	return step, step.err
}

func (s *Script) find(statement string) *Step {
	if s.at < len(s.steps) && s.steps[s.at].fits(statement) {
		s.at++
		return s.steps[s.at-1]
	}
	for _, step := range s.anytime {
		if step.fits(statement) {
			return step
		}
	}
	return nil
}

func (s *Script) check(statement string, step *Step, args []driver.NamedValue) {
	var got []any
	for _, a := range args {
		got = append(got, a.Value)
	}
	if !reflect.DeepEqual(normal(got), normal(step.args)) {
		s.t.Errorf("arguments of %s:\n    %#v\nwant\n    %#v", squeeze(statement), got, step.args)
	}
}

// normal makes all integers alike.
func normal(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if v := reflect.ValueOf(a); a != nil && v.CanInt() && v.Type().PkgPath() == "" {
			a = v.Int()
		}
		out[i] = a
	}
	return out
}

type connector struct{ s *Script }

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.refuse != nil {
		return nil, c.s.refuse
	}
	c.s.opened++
	return &conn{s: c.s}, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

// Open implements driver.Driver.
func (noDriver) Open(string) (driver.Conn, error) { return nil, errors.New("scripted: open by DB") }

type conn struct {
	s      *Script
	closed bool
	broken bool // it has failed with driver.ErrBadConn, and does so from then on
}

// answer asks the script, unless the connection is broken.
func (c *conn) answer(statement string, args []driver.NamedValue) (*Step, error) {
	if c.broken {
		return nil, driver.ErrBadConn
	}
	step, err := c.s.answer(statement, args)
	c.broken = errors.Is(err, driver.ErrBadConn)
	return step, err
}

// Close implements io.Closer.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.closed++
	return nil
}

// CheckNamedValue lets every type through, as drivers with arrays do.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c: c, query: query}, nil }

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	statement := "BEGIN"
	if level := sql.IsolationLevel(opts.Isolation); level != sql.LevelDefault {
		statement += " " + strings.ToUpper(level.String())
	}
	_, err := c.answer(statement, nil)
	return tx{c}, err
}

type tx struct{ c *conn }

// Commit implements driver.Tx.
func (t tx) Commit() error {
	_, err := t.c.answer("COMMIT", nil)
	return err
}

// Rollback implements driver.Tx.
func (t tx) Rollback() error {
	_, err := t.c.answer("ROLLBACK", nil)
	return err
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	step, err := c.answer(query, args)
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(step.affect), nil
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	step, err := c.answer(query, args)
	if err != nil {
		return nil, err
	}
	return &rows{step: step}, nil
}

type stmt struct {
	c     *conn
	query string
}

// Close implements io.Closer.
func (s *stmt) Close() error { return nil }

// NumInput implements driver.Stmt.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue implements driver.NamedValueChecker.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

// Exec implements driver.Stmt.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errContext }

// Query implements driver.Stmt.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, errContext }

var errContext = errors.New("scripted: only with a context")

// ExecContext implements driver.ExecerContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.query, args)
}

// QueryContext implements driver.QueryerContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.query, args)
}

type rows struct {
	step *Step
	at   int
}

// Columns implements driver.Rows.
func (r *rows) Columns() []string {
	out := make([]string, r.step.columns)
	for i := range out {
		out[i] = fmt.Sprint("c", i)
	}
	return out
}

// Close implements io.Closer.
func (r *rows) Close() error { return nil }

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	if r.at == len(r.step.rows) {
		if r.step.late != nil {
			return r.step.late
		}
		return io.EOF
	}
	for i, v := range r.step.rows[r.at] {
		dest[i] = v
	}
	r.at++
	return nil
}

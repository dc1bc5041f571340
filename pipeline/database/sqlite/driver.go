package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// Driver opens SQLite files: sqlite:PATH. PortableOnly is what export uses.
type Driver struct {
	// Portable makes the file that an export makes even of a SQLite source,
	// whose own DDL is otherwise replayed.
	Portable bool
}

// busyWait is how long a locked file is waited for.
const busyWait = 30 * time.Second

// maxMemory bounds what SQLite may use for a connection. It is address space,
// taken only when a large cell needs it: about twice the cell.
const maxMemory = 3 << 30

// Modes of opening, as SQLite's URIs spell them.
const (
	readOnly = "ro"
	create   = "rwc"
	// readWrite opens a file that is there.
	readWrite = "rw"
)

// open opens a file.
func open(ctx context.Context, path, mode string) (*sqlite3.Conn, error) {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	conn, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(ctx, maxMemory), "file:"+escaped+"?mode="+mode)
	if err != nil {
		return nil, err
	}
	conn.SetInterrupt(ctx)
	err = conn.BusyTimeout(busyWait)
	if err == nil && mode == readOnly {
		err = distrust(conn)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// distrust keeps a file's own schema from calling functions that may do more than compute.
func distrust(conn *sqlite3.Conn) error {
	_, trusted := conn.Config(sqlite3.DBCONFIG_TRUSTED_SCHEMA, false)
	_, defensive := conn.Config(sqlite3.DBCONFIG_DEFENSIVE, true)
	return errors.Join(trusted, defensive)
}

// errMemory is what a value too large for SQLite's memory gives.
var errMemory = fmt.Errorf("%w: it is too large for SQLite's memory here", database.ErrValue)

// guard turns the panic by which the driver reports that its memory is used up
// into an error. The connection is good for nothing but closing then.
func guard(act func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			if !strings.Contains(r.Error(), "out of memory") {
				panic(r)
			}
			err = errMemory
		default:
			panic(r)
		}
	}()
	return act()
}

// fileState says whether a file holds something.
func fileState(path string) (filled bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is not a regular file", path)
	}
	return info.Size() > 0, nil
}

// translate puts the seam's sentinel on an error of SQLite.
func translate(err error) error {
	switch {
	case errors.Is(err, sqlite3.CONSTRAINT), errors.Is(err, sqlite3.TOOBIG), errors.Is(err, sqlite3.MISMATCH):
		return fmt.Errorf("%w: %w", database.ErrValue, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EMFILE): // the machine is short of something
	case errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("%w: %w", database.ErrUnreachable, err)
	}
	return err
}

// query runs a statement and calls f for each row.
func query(conn *sqlite3.Conn, sql string, f func(*sqlite3.Stmt) error) error {
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for stmt.Step() {
		if err := f(stmt); err != nil {
			return err
		}
	}
	return stmt.Err()
}

// executeOne runs a text that must be one statement and no more.
func executeOne(conn *sqlite3.Conn, sql string) error {
	stmt, tail, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	if strings.TrimSpace(tail) != "" {
		return errors.New("it is more than one statement")
	}
	return stmt.Exec()
}

// execute runs one statement with parameters.
func execute(conn *sqlite3.Conn, sql string, params ...any) error {
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i, p := range params {
		switch v := p.(type) {
		case string:
			err = stmt.BindText(i+1, v)
		case int64:
			err = stmt.BindInt64(i+1, v)
		default:
			err = fmt.Errorf("bind %T: no such parameter", p)
		}
		if err != nil {
			return err
		}
	}
	return stmt.Exec()
}

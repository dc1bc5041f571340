// Package mirror keeps the content of a catalog in a SQLite file of the cache, so that people can
// query it with SQL and their own tools. It holds nothing that the repository does not: the file
// can be deleted at any time, and one that is damaged or of another version is rebuilt.
//
// The views are the interface, and docs/catalog.md describes them. Tables, whose names begin with
// an underscore, may change at any time. The file holds names of files and no contents, and only
// its owner can read it.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/catalog"
)

// ErrDamaged: the file is not a valid SQLite database. Remove it and open it again.
var ErrDamaged = errors.New("the catalog's mirror is damaged")

// ErrUnwritable: the file cannot be made or written, such as on a full or read-only file system.
var ErrUnwritable = errors.New("the catalog's mirror cannot be written")

// ErrQuery: the query is not a single statement that only reads, or is not valid SQL.
var ErrQuery = errors.New("not a query that can be answered")

// version is the version of the tables. A file of another version is rebuilt.
const version = 2

// application identifies the file as ours: "pstn".
const application = 0x7073746e

// busyWait is how long to wait for another process that changes the mirror.
const busyWait = 30 * time.Second

// Mirror is an open mirror. It is for one goroutine; several processes may have the same file open.
type Mirror struct {
	path string
	conn *sqlite3.Conn
}

// Open opens the mirror in the file path. It makes the file if there is none, and replaces one that
// cannot be used.
func Open(path string) (*Mirror, error) {
	m, err := open(path)
	if err == nil || !errors.Is(err, ErrDamaged) {
		return m, err
	}
	if err := Remove(path); err != nil {
		return nil, err
	}
	return open(path)
}

// Path returns the path of a repository's mirror in its cache.
func Path(cache *catalog.Cache) string { return cache.Path("catalog.db") }

// Of opens the mirror of a repository and updates it. It rebuilds a mirror that proves damaged.
func Of(ctx context.Context, repo *catalog.Repository, log *catalog.Log) (*Mirror, error) {
	m, err := try(ctx, repo, log)
	if !errors.Is(err, ErrDamaged) {
		return m, err
	}
	if err := Remove(Path(repo.Cache)); err != nil {
		return nil, err
	}
	return try(ctx, repo, log)
}

func try(ctx context.Context, repo *catalog.Repository, log *catalog.Log) (*Mirror, error) {
	m, err := Open(Path(repo.Cache))
	if err != nil {
		return nil, err
	}
	if err := m.Refresh(ctx, repo, log); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Remove deletes the file of a mirror. A missing file is no error.
func Remove(path string) error {
	for _, suffix := range []string{"", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the catalog's mirror: %w", err)
		}
	}
	return nil
}

func open(path string) (*Mirror, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	conn, err := connect(path, "rw")
	if err != nil {
		return nil, err
	}
	m := &Mirror{path: path, conn: conn}
	if err := m.prepare(); err != nil {
		conn.Close()
		return nil, err
	}
	return m, nil
}

// create makes the file if it does not exist, readable by its owner only.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	return errors.Join(file.Chmod(0o600), file.Close())
}

func connect(path, mode string) (*sqlite3.Conn, error) {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	conn, err := sqlite3.Open("file:" + escaped + "?mode=" + mode)
	if err != nil {
		return nil, translate("open", err)
	}
	if err := conn.BusyTimeout(busyWait); err != nil {
		conn.Close()
		return nil, translate("open", err)
	}
	return conn, nil
}

// prepare checks that the file is ours and of this version. An empty file gets tables and views.
func (m *Mirror) prepare() error {
	app, err := m.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	tables, err := m.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if app == application && tables == version {
		return nil
	}
	if app != 0 || tables != 0 {
		return fmt.Errorf("it is of version %d: %w", tables, ErrDamaged)
	}
	script := fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", definitions(), application, version)
	return translate("make", m.conn.Exec(script))
}

func (m *Mirror) number(sql string) (n int64, err error) {
	err = m.each(sql, func(row *sqlite3.Stmt) error {
		n = row.ColumnInt64(0)
		return nil
	})
	return n, err
}

// Close closes the file.
func (m *Mirror) Close() error { return translate("close", m.conn.Close()) }

// change runs do in a transaction.
func (m *Mirror) change(ctx context.Context, do func() error) (err error) {
	defer m.conn.SetInterrupt(m.conn.SetInterrupt(ctx))
	tx, err := m.conn.BeginImmediate()
	if err != nil {
		return translate("change", err)
	}
	if err := do(); err != nil {
		return errors.Join(err, m.rollback(&tx))
	}
	return translate("change", tx.Commit())
}

// rollback rolls a transaction back, even if the context has ended. SQLite does so itself where the
// disk is full.
func (m *Mirror) rollback(tx *sqlite3.Txn) error {
	if m.conn.GetAutocommit() {
		return nil
	}
	m.conn.SetInterrupt(context.Background())
	return translate("change", tx.Rollback())
}

// each runs a statement and calls do for every row.
func (m *Mirror) each(sql string, do func(row *sqlite3.Stmt) error, params ...any) error {
	stmt, err := m.statement(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	if err := bind(stmt, params); err != nil {
		return err
	}
	for stmt.Step() {
		if err := do(stmt); err != nil {
			return err
		}
	}
	return translate("read", stmt.Err())
}

// run executes a statement.
func (m *Mirror) run(sql string, params ...any) error {
	return m.each(sql, func(*sqlite3.Stmt) error { return nil }, params...)
}

func (m *Mirror) statement(sql string) (*sqlite3.Stmt, error) {
	stmt, _, err := m.conn.Prepare(sql)
	if err != nil {
		return nil, translate("read", err)
	}
	return stmt, nil
}

// bind gives a statement its parameters.
func bind(stmt *sqlite3.Stmt, params []any) error {
	for i, p := range params {
		var err error
		switch v := p.(type) {
		case nil:
			err = stmt.BindNull(i + 1)
		case string:
			err = stmt.BindText(i+1, v)
		case bool:
			err = stmt.BindBool(i+1, v)
		case int64:
			err = stmt.BindInt64(i+1, v)
		case uint64:
			err = stmt.BindInt64(i+1, int64(v))
		case time.Time:
			err = bindTime(stmt, i+1, v)
		default:
			panic(fmt.Sprintf("mirror: no column takes a %T", p))
		}
		if err != nil {
			return translate("change", err)
		}
	}
	return nil
}

// momentLayout is the layout of times in the mirror: in one zone and of one length, so that they
// sort as text and SQLite's functions read them.
const momentLayout = "2006-01-02T15:04:05.000Z"

func bindTime(stmt *sqlite3.Stmt, i int, t time.Time) error {
	if t.IsZero() {
		return stmt.BindNull(i)
	}
	return stmt.BindText(i, t.UTC().Format(momentLayout))
}

// translate wraps errors of a damaged file with ErrDamaged, and of a file system with ErrUnwritable.
func translate(act string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case errors.Is(err, sqlite3.IOERR), errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN):
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	return fmt.Errorf("%s the catalog's mirror: %w", act, err)
}

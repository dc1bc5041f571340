// Package history records what jobs did, in a SQLite file that prunes itself: which slot of its
// schedule each job has answered, and how its runs ended.
//
// A run is recorded when it begins and again when it ends, each time in a transaction that is
// durable before the call returns. So a killed process leaves a run without an end, and the next
// owner of the file (Own) records that it was interrupted. One process owns a file; others may read
// it meanwhile.
package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/archive/disk"
)

// ErrOwned: another process owns the file.
var ErrOwned = errors.New("another packstone run already uses these settings")

// ErrDamaged: the file is not a valid history.
var ErrDamaged = errors.New("the history of jobs is damaged")

const (
	application = 0x70736869 // "pshi", which marks the file as ours
	version     = 1          // of the tables
	busyWait    = 10 * time.Second
)

const tables = `
CREATE TABLE job (
	name TEXT PRIMARY KEY, answered INTEGER, trying INTEGER, first INTEGER, last INTEGER, attempts INTEGER
) STRICT;
CREATE TABLE run (
	id INTEGER PRIMARY KEY, job TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, why TEXT NOT NULL, slot INTEGER, began INTEGER NOT NULL, ended INTEGER,
	outcome TEXT NOT NULL, code INTEGER NOT NULL, cause TEXT NOT NULL, log TEXT NOT NULL, snapshot TEXT NOT NULL, trip TEXT NOT NULL,
	read INTEGER NOT NULL, added INTEGER NOT NULL, stored INTEGER NOT NULL, files INTEGER NOT NULL
) STRICT;
CREATE INDEX run_of ON run (kind, name, began);
`

// watched is the schema of a table that files of earlier versions lack.
const watched = `CREATE TABLE IF NOT EXISTS watched (name TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT;`

// File is an open history. It is not safe for concurrent use.
type File struct {
	path string
	conn *sqlite3.Conn
	lock *os.File
	put  string // where a damaged one was put, "" if none was
}

// Own opens the history at path for a process that runs jobs, and makes it if there is none. It
// fails with ErrOwned if another process owns it. It moves a damaged file aside (see PutAside), and
// marks runs without an end as interrupted at now.
func Own(path string, now time.Time) (f *File, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the history of jobs: %w", err)
	}
	lock, err := own(path + ".lock")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	aside := ""
	f, err = open(path, "rwc")
	if errors.Is(err, ErrDamaged) {
		if aside, err = putAside(path, now); err != nil {
			return nil, err
		}
		f, err = open(path, "rwc")
	}
	if err != nil {
		return nil, err
	}
	f.lock, f.put = lock, aside
	if err := f.endRuns(now); err != nil {
		return nil, errors.Join(err, f.conn.Close())
	}
	return f, nil
}

// own locks a file until it is closed, or its process ends.
func own(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the history of jobs: %w", err)
	}
	got, err := disk.TryLock(lock)
	if err == nil && got {
		return lock, nil
	}
	lock.Close()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("lock the history of jobs: %w", err)
	}
	return nil, fmt.Errorf("%w (it holds %s)", ErrOwned, path)
}

// Read opens the history at path for reading; nil if there is none.
func Read(path string) (*File, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return open(path, "ro")
}

// PutAside returns where a damaged file was moved to, "" if none was.
func (f *File) PutAside() string { return f.put }

// Close closes the file, and lets another process own it.
func (f *File) Close() error {
	err := translate("close", f.conn.Close())
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

func open(path, mode string) (*File, error) {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	conn, err := sqlite3.Open("file:" + escaped + "?mode=" + mode)
	if err != nil {
		return nil, translate("open", err)
	}
	f := &File{path: path, conn: conn}
	if err = f.prepare(mode == "rwc"); err != nil {
		conn.Close()
		return nil, err
	}
	return f, nil
}

// prepare checks that the file is intact and ours. An empty file gets tables.
func (f *File) prepare(make bool) error {
	if err := f.conn.BusyTimeout(busyWait); err != nil {
		return translate("open", err)
	}
	app, err := f.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	found, err := f.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if app == 0 && found == 0 && make {
		return f.create()
	}
	if app != application || found != version {
		return fmt.Errorf("%w: it is of version %d", ErrDamaged, found)
	}
	if err := f.test(); err != nil || !make {
		return err
	}
	return translate("make", f.conn.Exec(watched))
}

func (f *File) create() error {
	if err := os.Chmod(f.path, 0o600); err != nil {
		return fmt.Errorf("open the history of jobs: %w", err)
	}
	return translate("make", f.conn.Exec(fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", tables+watched, application, version)))
}

// test checks all pages of the file.
func (f *File) test() error {
	result := ""
	err := f.each("PRAGMA quick_check(1)", func(row *sqlite3.Stmt) { result = row.ColumnText(0) })
	if err == nil && result != "ok" {
		err = fmt.Errorf("%w: %s", ErrDamaged, result)
	}
	return err
}

// putAside moves a damaged file, and the files that belong to it, out of the way.
func putAside(path string, now time.Time) (string, error) {
	aside := fmt.Sprintf("%s.damaged-%s", path, now.UTC().Format("20060102T150405Z"))
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("put the damaged history aside: %w", err)
	}
	if err := os.Rename(path+"-journal", aside+"-journal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("put the damaged history aside: %w", err)
	}
	return aside, nil
}

func (f *File) number(sql string, params ...any) (n int64, err error) {
	err = f.each(sql, func(row *sqlite3.Stmt) { n = row.ColumnInt64(0) }, params...)
	return n, err
}

// each runs a statement and calls do for every row.
func (f *File) each(sql string, do func(row *sqlite3.Stmt), params ...any) error {
	stmt, _, err := f.conn.Prepare(sql)
	if err != nil {
		return translate("read", err)
	}
	defer stmt.Close()
	for i, p := range params {
		if err := bind(stmt, i+1, p); err != nil {
			return translate("read", err)
		}
	}
	for stmt.Step() {
		do(stmt)
	}
	return translate("read", stmt.Err())
}

func bind(stmt *sqlite3.Stmt, at int, value any) error {
	switch value := value.(type) {
	case string:
		return stmt.BindText(at, value)
	case int64:
		return stmt.BindInt64(at, value)
	case int:
		return stmt.BindInt64(at, int64(value))
	case time.Time:
		if value.IsZero() {
			return stmt.BindNull(at)
		}
		return stmt.BindInt64(at, value.UnixMicro())
	}
	panic(fmt.Sprintf("history: a parameter of type %T", value))
}

func timeAt(row *sqlite3.Stmt, column int) time.Time {
	if row.ColumnType(column) == sqlite3.NULL {
		return time.Time{}
	}
	return time.UnixMicro(row.ColumnInt64(column))
}

func (f *File) exec(sql string, params ...any) error {
	return f.each(sql, func(*sqlite3.Stmt) {}, params...)
}

// translate names the file in an error, and distinguishes damage from passing failures.
func translate(act string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("%s the history of jobs: %w", act, err)
}

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/archive/disk"
	"github.com/packstone/packstone/pipeline/database"
)

var _ database.Swapper = Driver{}

// swap renames files. The names of databases are those of files in one folder.
type swap struct{ path string }

// OpenSwap looks at nothing yet; see [database.Swapper].
func (Driver) OpenSwap(_ context.Context, at database.Location) (database.Swap, error) {
	return &swap{at.Reveal()}, nil
}

// beside are the ends of the names of what SQLite keeps beside a file.
var beside = []string{"-wal", "-shm", "-journal"}

// Name implements database.Swap.
func (s *swap) Name() string { return filepath.Base(s.path) }

func (s *swap) file(name string) string { return filepath.Join(filepath.Dir(s.path), name) }

// At implements database.Swap.
func (s *swap) At(name string) (database.Location, error) {
	return database.ParseLocation("sqlite:" + s.file(name))
}

// Close implements database.Swap.
func (s *swap) Close() error { return nil }

// Holds implements database.Swap.
func (s *swap) Holds(_ context.Context, name string) (bool, error) { return fileState(s.file(name)) }

// Ready implements database.Swap.
func (s *swap) Ready(ctx context.Context, _ string) error {
	filled, err := fileState(s.path)
	if err != nil || !filled {
		return err
	}
	return s.alone(ctx, func(*sqlite3.Conn) error { return nil })
}

// alone does something while nobody else has the living file open, as far as SQLite can tell. A
// file that is no database is nobody's.
func (s *swap) alone(ctx context.Context, do func(*sqlite3.Conn) error) error {
	if is, err := isDatabase(s.path); err != nil || !is { // SQLite would remove what is beside it
		return err
	}
	conn, err := open(ctx, s.path, "rw")
	if err == nil {
		defer conn.Close()
		err = errors.Join(conn.BusyTimeout(0), conn.Exec("PRAGMA locking_mode = EXCLUSIVE"), conn.Exec("BEGIN EXCLUSIVE"))
	}
	switch {
	case errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED):
		return fmt.Errorf("swap %s: %w: a program uses it now; stop the programs that have it open", s.path, database.ErrNoSwap)
	case errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT):
		return nil
	case err != nil:
		return fmt.Errorf("swap %s: %w", s.path, translate(err))
	}
	return errors.Join(conn.Exec("COMMIT"), do(conn))
}

// isDatabase tells whether a file begins as those of SQLite do.
func isDatabase(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	begin := make([]byte, len(magic))
	if _, err := io.ReadFull(file, begin); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return string(begin) == magic, nil
}

// magic is how a file of SQLite begins.
const magic = "SQLite format 3\x00"

// Make implements database.Swap: a file is made when it is filled.
func (s *swap) Make(context.Context, string) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", s.path, err)
	}
	return nil
}

// Exchange implements database.Swap. What is in the living file's log is written into it first. A
// second name for the file, and a rename over the first, leave the living name without a file at no
// time, and both are on the disk when it returns.
func (s *swap) Exchange(ctx context.Context, aside, fresh string) error {
	filled, err := fileState(s.path)
	if err != nil {
		return err
	}
	if filled {
		err := s.alone(ctx, func(conn *sqlite3.Conn) error { return conn.Exec("PRAGMA wal_checkpoint(TRUNCATE)") })
		if err == nil {
			err = s.setAside(aside, fresh == "")
		}
		if err != nil {
			return err
		}
	}
	if fresh == "" {
		return nil
	}
	if err := errors.Join(s.dress(fresh, aside), syncFile(s.file(fresh))); err != nil {
		return fmt.Errorf("give %s the owner and mode of the file that it replaces: %w", s.file(fresh), err)
	}
	if err := os.Rename(s.file(fresh), s.path); err != nil {
		return fmt.Errorf("exchange the file: %w", err)
	}
	return errors.Join(moveBeside(s.file(fresh), s.path), s.sync())
}

// moveBeside moves what SQLite keeps beside a file along with it. Of a file that it could open,
// nothing is there by now.
func moveBeside(from, to string) error {
	for _, end := range beside {
		if err := os.Rename(from+end, to+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("move %s: %w", from+end, err)
		}
	}
	return nil
}

// setAside gives the living file another name too, or instead. What has that name is left of a step
// that was cut off: it is the same file.
func (s *swap) setAside(aside string, instead bool) error {
	name := os.Link
	if instead {
		name = os.Rename
	}
	err := os.Remove(s.file(aside))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = name(s.path, s.file(aside))
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", s.path, err)
	}
	return errors.Join(moveBeside(s.path, s.file(aside)), s.sync()) // else a loss of power could leave neither name
}

// sync has the names in the folder on the disk. Who may not read the folder cannot do so, and may
// have renamed files in it all the same.
func (s *swap) sync() error {
	if err := disk.SyncDirectory(filepath.Dir(s.path)); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// dress gives a file owner and mode of the one that it replaces, else the owner of the folder.
func (s *swap) dress(fresh, aside string) error {
	info, err := os.Stat(s.file(aside))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(s.path))
	}
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		if err := os.Chmod(s.file(fresh), info.Mode().Perm()); err != nil {
			return err
		}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		return os.Chown(s.file(fresh), int(st.Uid), int(st.Gid))
	}
	return nil
}

// Reopen implements database.Swap.
func (s *swap) Reopen(context.Context) error { return nil }

// Drop implements database.Swap.
func (s *swap) Drop(_ context.Context, name string) error {
	for _, end := range append([]string{""}, beside...) {
		if err := os.Remove(s.file(name) + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop a database beside %s: %w", s.path, err)
		}
	}
	return nil
}

// DropSQL implements database.Swap.
func (s *swap) DropSQL(name string) string { return "rm " + s.file(name) }

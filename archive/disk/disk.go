// Package disk provides what several processes on one machine need from its file systems: locks,
// atomic replacement of files, and error classes for mounts whose server is away. It does not
// interpret the files' content.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrUnreachable: what holds data does not answer, be it storage, a source, a target or a database.
// Each of these has an error of its own that wraps it, and so is told apart from the others.
var ErrUnreachable = errors.New("unreachable")

// Options say how Replace and Create write a file.
type Options struct {
	Prefix string // of the name that it has before it is whole
	// Sync has it on the disk before it has its name, and its name before they return: a crash of the
	// machine leaves the old file or the new one, and later the new one.
	Sync bool
}

// Replace writes a file under a temporary name in the same directory, readable by its owner only,
// and renames it to path when it is complete: readers see the old file or the new one. If Replace
// fails, the old file remains, and the temporary one is removed.
func Replace(path string, o Options, write func(io.Writer) error) error {
	return o.write(path, write, os.Rename)
}

// Create is like Replace, but fails with fs.ErrExist if there is a file at path.
func Create(path string, o Options, write func(io.Writer) error) error {
	return o.write(path, write, renameNew)
}

func (o Options) write(path string, write func(io.Writer) error, rename func(from, to string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), o.Prefix+"*")
	if err != nil {
		return err
	}
	defer hold(tmp)()
	err = write(tmp)
	if err == nil && o.Sync {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return err
	}
	if !o.Sync {
		return nil
	}
	if err := SyncDirectory(filepath.Dir(path)); !errors.Is(err, fs.ErrPermission) { // who may not read it can't
		return err
	}
	return nil
}

// renameNew renames a file unless there is one of its new name. Where there are no hard links, an
// empty file stands there until it has the name.
func renameNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	claim, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(claim.Close(), os.Rename(from, to)); err != nil {
		os.Remove(to)
		return err
	}
	return nil
}

// MakeDirectory makes a directory for its owner only, and those above it that are missing. Their
// names are on the disk when it returns.
func MakeDirectory(path string) error {
	var above []string
	for at := path; !exists(at) && filepath.Dir(at) != at; at = filepath.Dir(at) {
		above = append(above, filepath.Dir(at))
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for _, dir := range above {
		if err := SyncDirectory(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// SyncDirectory has the names in a directory on the disk when it returns. Some network file systems
// do not support this; their servers write names through.
func SyncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	defer dir.Close()
	err = dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// away are errors of a mount whose server or process is gone. passing are errors that a new look-up
// may cure: a file handle that the server no longer knows, an answer that was lost.
var (
	away    = []unix.Errno{unix.ENOTCONN, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ESHUTDOWN}
	passing = []unix.Errno{unix.ESTALE, unix.ETIMEDOUT}
)

// Away reports whether err says that a mount is dead.
func Away(err error) bool { return isOneOf(err, away) }

// Passing reports whether err says that a mount's server has forgotten a handle or not answered. A
// new look-up may cure it.
func Passing(err error) bool { return isOneOf(err, passing) }

func isOneOf(err error, list []unix.Errno) bool {
	for _, errno := range list {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// ErrShared: others may rename what lies in a directory, or it is none.
var ErrShared = errors.New("others can write there, or it is no directory")

// MakeGuarded makes the directory of something, with a mode, unless it is there. One in which others
// may rename what we make is ErrShared. look is os.Stat, or os.Lstat where a link may lead into
// somebody else's.
func MakeGuarded(dir, something string, mode fs.FileMode, look func(string) (fs.FileInfo, error)) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make the directory of %s: %w", something, err)
	}
	info, err := look(dir)
	if err != nil {
		return fmt.Errorf("look at the directory of %s: %w", something, err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return ErrShared
	}
	return nil
}

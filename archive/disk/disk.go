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

// Options say how Replace writes a file.
type Options struct {
	Prefix string // of the name that it has before it is whole
	Sync   bool   // it is on the disk before it has its name: a crash of the machine leaves the old or the new one
}

// Replace writes a file under a temporary name in the same directory, readable by its owner only,
// and renames it to path when it is complete: readers see the old file or the new one. If Replace
// fails, the old file remains, and the temporary one is removed.
func Replace(path string, o Options, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), o.Prefix+"*")
	if err != nil {
		return err
	}
	err = write(tmp)
	if err == nil && o.Sync {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
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

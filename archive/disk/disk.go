// Package disk provides what several processes on this machine need from its file systems: locks,
// files that appear whole, and error classes for mounts whose server is away. It knows nothing of
// the files' content.
package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Options say how a file is replaced.
type Options struct {
	Prefix string // of the name that it has before it is whole
	Sync   bool   // it is on the disk before it has its name: a crash of the machine leaves the old or the new one
}

// Replace writes a file under another name beside its own, only for its owner to read, and gives it
// its own when it is whole: who opens it sees the old one or the new one. If it fails, the old one
// is there, and nothing else.
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

// away is what a mount answers whose server or process is gone, passing what may go away with a new
// look-up: a file handle that the server no longer knows, an answer that was lost.
var (
	away    = []unix.Errno{unix.ENOTCONN, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ESHUTDOWN}
	passing = []unix.Errno{unix.ESTALE, unix.ETIMEDOUT}
)

// Away tells whether an error says that a mount is dead.
func Away(err error) bool { return isOneOf(err, away) }

// Passing tells whether an error says that a mount's server has forgotten or not answered, which a
// new look-up may cure.
func Passing(err error) bool { return isOneOf(err, passing) }

func isOneOf(err error, list []unix.Errno) bool {
	for _, errno := range list {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

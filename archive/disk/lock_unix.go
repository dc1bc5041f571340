//go:build unix && !solaris && !aix

package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// TryLock locks a file until it is closed. It returns false if another process, or another open
// file in this process, has locked it. The lock ends with the process that holds it, however that
// ends.
func TryLock(file *os.File) (bool, error) { return TryLockFD(int(file.Fd())) }

// hold locks a file until release is called, even if it is closed before. Where that cannot be, it
// does nothing.
func hold(file *os.File) (release func()) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	_, _ = TryLockFD(fd)
	return func() { unix.Close(fd) }
}

// TryLockFD is like TryLock, for a file descriptor.
func TryLockFD(fd int) (bool, error) {
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

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

// TryLockFD is like TryLock, for a file descriptor.
func TryLockFD(fd int) (bool, error) {
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

package local

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// noOpenat2 is set once the kernel (before 5.6) or a filter of system calls has refused openat2.
var noOpenat2 atomic.Bool

// openPart opens the directory at path below dir in one call where the kernel can be told not to
// follow links.
func openPart(dir int, path string) (int, error) {
	if noOpenat2.Load() {
		return openSteps(dir, path)
	}
	fd, err := openat2(dir, path, openDirectory)
	if err == unix.EACCES {
		fd, err = openat2(dir, path, openDirectory|unix.O_PATH)
	}
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		noOpenat2.Store(true)
		return openSteps(dir, path)
	}
	return fd, err
}

func openat2(dir int, path string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH}
	if flags&unix.O_PATH != 0 {
		how.Flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	}
	for {
		fd, err := unix.Openat2(dir, path, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// openReadable opens a directory; one that may be searched but not read is opened for the names in
// it.
func openReadable(dir int, name string, flags int) (int, error) {
	fd, err := openat(dir, name, flags, 0)
	if err != unix.EACCES {
		return fd, err
	}
	return openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|flags&unix.O_NOFOLLOW, 0)
}

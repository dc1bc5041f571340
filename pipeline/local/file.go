package local

import (
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Follow, among the flags of OpenFile, lets the name be a symbolic link. Only a name that a person
// gave may be one.
const Follow = 1 << 30

// euid decides whose access times may be left alone. It never changes.
var euid = int64(os.Geteuid())

// confined is set once root was not permitted what only owners may: in a container without
// CAP_FOWNER.
var confined atomic.Bool

// OpenFile opens name in d. It never waits for the other end of a pipe and never becomes a
// controlling terminal.
func (d *Dir) OpenFile(name string, flags int, mode uint32) (int, error) {
	if flags&Follow == 0 {
		flags |= unix.O_NOFOLLOW
	}
	return openat(d.FD, name, flags&^Follow|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, mode)
}

// OpenUntouched opens name in d for reading, leaving its access time alone where that is permitted:
// to its owner and to root.
func (d *Dir) OpenUntouched(name string, flags int, owner int64) (int, error) {
	if noAccessTime == 0 || euid != owner && (euid != 0 || confined.Load()) {
		return d.OpenFile(name, flags, 0)
	}
	fd, err := d.OpenFile(name, flags|noAccessTime, 0)
	if err != unix.EPERM {
		return fd, err
	}
	confined.Store(true)
	return d.OpenFile(name, flags, 0)
}

// Pread reads at an offset; 0 bytes mean the end.
func Pread(fd int, p []byte, offset int64) (int, error) {
	for {
		n, err := unix.Pread(fd, p, offset)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// Pwrite writes all of p at an offset.
func Pwrite(fd int, p []byte, offset int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, offset)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n <= 0 {
			return unix.EIO
		}
		p, offset = p[n:], offset+int64(n)
	}
	return nil
}

// Readlink returns what the symbolic link name in d points to.
func (d *Dir) Readlink(name string) (string, error) {
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		n, err := unix.Readlinkat(d.FD, name, b)
		if err != nil {
			return "", &fs.PathError{Op: "readlink", Path: d.Join(name), Err: err}
		}
		if n < size {
			return string(b[:n]), nil
		}
	}
}

// SetTimes sets access and modification time of name in d, a symbolic link's own.
func (d *Dir) SetTimes(name string, times *[2]unix.Timespec) error {
	return unix.UtimesNanoAt(d.FD, name, times[:], unix.AT_SYMLINK_NOFOLLOW)
}

//go:build !linux

package local

import "golang.org/x/sys/unix"

// KeepTime is a time that is left as it is.
var KeepTime = unix.Timespec{Nsec: -2}

// HasFutimens tells whether Futimens works here.
const HasFutimens = false

// Futimens does not work here.
func Futimens(int, *[2]unix.Timespec) error { return unix.ENOSYS }

// Chmod sets the mode of name in d, which must not be a symbolic link.
func (d *Dir) Chmod(name string, mode uint32) error {
	return unix.Fchmodat(d.FD, name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

// Mknod makes a pipe or a device. There is no call relative to a directory.
func (d *Dir) Mknod(name string, mode uint32, device uint64) error {
	return unix.Mknod(d.Join(name), mode, int(device))
}

// HasXattr tells whether d has an extended attribute.
func (d *Dir) HasXattr(attribute string) bool {
	n, err := d.getXattr(Self, attribute, make([]byte, 4<<10))
	return n > 0 || err == unix.ERANGE
}

package local

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// KeepTime is a time that is left as it is.
var KeepTime = unix.Timespec{Nsec: unix.UTIME_OMIT}

// HasFutimens tells whether Futimens works here.
const HasFutimens = true

// Futimens sets access and modification time of an open file.
func Futimens(fd int, times *[2]unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Chmod sets the mode of name in d, which must not be a symbolic link.
func (d *Dir) Chmod(name string, mode uint32) error {
	err := unix.Fchmodat(d.FD, name, mode, unix.AT_SYMLINK_NOFOLLOW)
	if err != unix.EOPNOTSUPP && err != unix.EPERM {
		return err
	}
	// Before Linux 6.6, or kept from it by a filter of system calls.
	fd, err := openat(d.FD, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st Stat
	if err := Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return unix.EOPNOTSUPP
	}
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
}

// Mknod makes a pipe or a device.
func (d *Dir) Mknod(name string, mode uint32, device uint64) error {
	return unix.Mknodat(d.FD, name, mode, int(device))
}

// HasXattr tells whether d has an extended attribute.
func (d *Dir) HasXattr(attribute string) bool {
	n, err := d.getXattr(Self, attribute, make([]byte, 4<<10))
	return n > 0 || err == unix.ERANGE
}

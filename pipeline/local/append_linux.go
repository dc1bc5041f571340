package local

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// IsAppendOnly tells whether names in an open directory can be neither removed nor renamed.
func IsAppendOnly(fd int) bool {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_APPEND != 0
}

// OpenNameless makes a file without a name on the file system of an open directory. It vanishes when it is closed, unless Name gave it one.
func OpenNameless(dir int, mode uint32) (int, error) {
	return unix.Openat(dir, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, mode)
}

// Name gives a nameless file a name in a directory, which nothing may have.
func Name(fd, dir int, name string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), dir, name, unix.AT_SYMLINK_FOLLOW)
}

package local

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// IsAppendOnly tells whether names in an open directory can be neither removed nor renamed.
func IsAppendOnly(fd int) bool {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_APPEND != 0
}

// OpenNameless makes a file without a name on the file system of an open directory. It vanishes
// when it is closed, unless Name gave it one. ENOTSUP, EISDIR or EINVAL: there are no such files.
func OpenNameless(dir int, mode uint32) (int, error) {
	if !canName() {
		return -1, unix.ENOTSUP
	}
	return unix.Openat(dir, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, mode)
}

// canName tells whether one of Name's ways is open.
var canName = sync.OnceValue(func() bool {
	return os.Geteuid() == 0 || unix.Access("/proc/self/fd", unix.F_OK) == nil
})

// Name gives a nameless file a name in a directory, which nothing may have. The short way takes a
// capability.
func Name(fd, dir int, name string) error {
	err := unix.Linkat(fd, "", dir, name, unix.AT_EMPTY_PATH)
	if err == unix.ENOENT || err == unix.EPERM {
		err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), dir, name, unix.AT_SYMLINK_FOLLOW)
	}
	return err
}

//go:build !linux

package local

import (
	"strings"

	"golang.org/x/sys/unix"
)

// SystemOf tells what the open file fd is on.
func SystemOf(fd int) (System, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return System{}, err
	}
	if st.Flags&unix.MNT_LOCAL != 0 {
		return System{}, nil
	}
	name := unix.ByteSliceToString(st.Fstypename[:])
	if strings.Contains(name, "fuse") {
		name = "fuse"
	}
	return System{name, true}, nil
}

// Refresh does nothing here.
func Refresh(int) {}

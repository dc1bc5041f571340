//go:build linux && (amd64 || arm64)

package local

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// StatListed examines the name at i of a listing of d; a symbolic link itself. It makes no copy of
// the name: a walk spends most of its time here.
func (d *Dir) StatListed(l *Listing, i int, st *Stat) error {
	name := unsafe.Pointer(&l.text[l.names[i].at])
	for {
		_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(d.FD), uintptr(name), uintptr(unsafe.Pointer(st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

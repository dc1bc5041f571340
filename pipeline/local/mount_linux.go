//go:build linux && (amd64 || arm64)

package local

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noStatx is set once a filter of system calls, or a kernel before 5.8, has refused to tell of
// mount points.
var noStatx atomic.Bool

// Examine is StatListed, and tells whether something is mounted there.
func (d *Dir) Examine(l *Listing, i int, st *Stat) (mounted bool, err error) {
	if noStatx.Load() {
		return d.examineByDevice(l, i, st)
	}
	var x unix.Statx_t
	name := unsafe.Pointer(&l.text[l.names[i].at])
	for {
		_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(d.FD), uintptr(name),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, uintptr(unsafe.Pointer(&x)), 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.ENOSYS || errno == unix.EPERM || errno == 0 && x.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0:
			noStatx.Store(true)
			return d.examineByDevice(l, i, st)
		case errno != 0:
			return false, errno
		}
		fromStatx(&x, st)
		return x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
}

// fromStatx fills in what Describe needs.
func fromStatx(x *unix.Statx_t, st *Stat) {
	st.Dev = unix.Mkdev(x.Dev_major, x.Dev_minor)
	st.Ino, st.Size, st.Blocks = x.Ino, int64(x.Size), int64(x.Blocks)
	st.Mode, st.Uid, st.Gid = uint32(x.Mode), x.Uid, x.Gid
	setLinks(&st.Nlink, x.Nlink)
	st.Rdev = unix.Mkdev(x.Rdev_major, x.Rdev_minor)
	st.Mtim = unix.Timespec{Sec: x.Mtime.Sec, Nsec: int64(x.Mtime.Nsec)}
	st.Ctim = unix.Timespec{Sec: x.Ctime.Sec, Nsec: int64(x.Ctime.Nsec)}
	st.Atim = unix.Timespec{Sec: x.Atime.Sec, Nsec: int64(x.Atime.Nsec)}
}

// setLinks sets a number whose size differs between machines.
func setLinks[N uint32 | uint64](to *N, n uint32) { *to = N(n) }

package local

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const noAttribute = unix.ENODATA

// noXattrAt is set once the kernel (before 6.13) or a filter of system calls has refused the calls
// that take a directory; /proc leads to the same place.
var noXattrAt atomic.Bool

// attributeArgs is struct xattr_args.
type attributeArgs struct {
	value uint64
	size  uint32
	flags uint32
}

func (d *Dir) listXattrs(name string, b []byte) (int, error) {
	if noXattrAt.Load() {
		return unix.Llistxattr(d.procName(name), b)
	}
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(d.FD), uintptr(unsafe.Pointer(path)), unix.AT_SYMLINK_NOFOLLOW,
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0)
	if refused(errno) {
		return unix.Llistxattr(d.procName(name), b)
	}
	return result(n, errno)
}

func (d *Dir) getXattr(name, attribute string, b []byte) (int, error) {
	if noXattrAt.Load() {
		return unix.Lgetxattr(d.procName(name), attribute, b)
	}
	n, errno := d.xattrAt(unix.SYS_GETXATTRAT, name, attribute, b)
	if refused(errno) {
		return unix.Lgetxattr(d.procName(name), attribute, b)
	}
	return result(n, errno)
}

// SetXattr sets an extended attribute of name in d, a symbolic link's own.
func (d *Dir) SetXattr(name, attribute string, value []byte) error {
	if noXattrAt.Load() {
		return unix.Lsetxattr(d.procName(name), attribute, value, 0)
	}
	_, errno := d.xattrAt(unix.SYS_SETXATTRAT, name, attribute, value)
	if errno == unix.ENOSYS {
		noXattrAt.Store(true)
		return unix.Lsetxattr(d.procName(name), attribute, value, 0)
	}
	_, err := result(0, errno)
	return err
}

// RemoveXattr removes an extended attribute of name in d, a symbolic link's own.
func (d *Dir) RemoveXattr(name, attribute string) error {
	return unix.Lremovexattr(d.procName(name), attribute)
}

func (d *Dir) xattrAt(call uintptr, name, attribute string, value []byte) (uintptr, unix.Errno) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, unix.EINVAL
	}
	key, err := unix.BytePtrFromString(attribute)
	if err != nil {
		return 0, unix.EINVAL
	}
	args := &attributeArgs{size: uint32(len(value))}
	var pin runtime.Pinner // the kernel finds the value by a number, which the collector does not see
	defer pin.Unpin()
	if len(value) > 0 {
		pin.Pin(&value[0])
		args.value = uint64(uintptr(unsafe.Pointer(&value[0])))
	}
	n, _, errno := unix.Syscall6(call, uintptr(d.FD), uintptr(unsafe.Pointer(path)), unix.AT_SYMLINK_NOFOLLOW,
		uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args))
	return n, errno
}

// refused tells whether a call is not there. No reading of attributes answers EPERM, but filters
// do.
func refused(errno unix.Errno) bool {
	if errno != unix.ENOSYS && errno != unix.EPERM {
		return false
	}
	noXattrAt.Store(true)
	return true
}

func result(n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (d *Dir) procName(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(d.FD) + "/" + name
}

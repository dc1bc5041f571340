//go:build !linux

package local

import "golang.org/x/sys/unix"

const noAttribute = unix.ENOATTR

func (d *Dir) listXattrs(name string, b []byte) (int, error) { return unix.Llistxattr(d.Join(name), b) }

func (d *Dir) getXattr(name, attribute string, b []byte) (int, error) {
	return unix.Lgetxattr(d.Join(name), attribute, b)
}

// SetXattr sets an extended attribute of name in d, a symbolic link's own.
func (d *Dir) SetXattr(name, attribute string, value []byte) error {
	return unix.Lsetxattr(d.Join(name), attribute, value, 0)
}

// RemoveXattr removes an extended attribute of name in d, a symbolic link's own.
func (d *Dir) RemoveXattr(name, attribute string) error {
	return unix.Lremovexattr(d.Join(name), attribute)
}

package local

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"github.com/packstone/packstone/catalog/entry"
	"golang.org/x/sys/unix"
)

// maxAttribute bounds a list of names and a value. Linux has no more than 64 KiB of either.
const maxAttribute = 1 << 20

// Xattrs returns the extended attributes of name in d, sorted by name, a symbolic link's own. A
// file system without them has none.
func (d *Dir) Xattrs(name string) ([]entry.Attribute, error) {
	list, err := grow(func(b []byte) (int, error) { return d.listXattrs(name, b) })
	if err != nil || len(list) == 0 {
		return nil, d.xattrError("list attributes of", name, err)
	}
	var found []entry.Attribute
	for raw := range bytes.SplitSeq(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		attribute := string(raw)
		value, err := grow(func(b []byte) (int, error) { return d.getXattr(name, attribute, b) })
		if errors.Is(err, noAttribute) {
			continue // removed since the list was read
		}
		if err != nil {
			return found, d.xattrError("read attribute "+attribute+" of", name, err)
		}
		found = append(found, entry.Attribute{Name: attribute, Value: bytes.Clone(value)})
	}
	slices.SortFunc(found, func(a, b entry.Attribute) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// HasXattrs tells whether name in d has any extended attributes, a symbolic link's own.
func (d *Dir) HasXattrs(name string) (bool, error) {
	n, err := d.listXattrs(name, nil)
	return n > 0, d.xattrError("list attributes of", name, err)
}

func (d *Dir) xattrError(op, name string, err error) error {
	if err == nil || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.Join(name), Err: err}
}

// grow calls read with a buffer that is large enough.
func grow(read func([]byte) (int, error)) ([]byte, error) {
	for size := 512; ; size *= 8 {
		b := make([]byte, size)
		n, err := read(b)
		if err == unix.EINTR {
			size /= 8
			continue
		}
		if err == unix.ERANGE && size < maxAttribute {
			continue
		}
		return b[:max(n, 0)], err
	}
}

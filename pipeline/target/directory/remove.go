package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// Remove removes entries one by one. It keeps the root.
func (t *Target) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	for _, e := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.remove(ctx, e); err != nil {
			failed(e, translate(err))
		}
	}
	return nil
}

func (t *Target) remove(ctx context.Context, e *entry.Entry) error {
	if e.Path == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	dir, name, err := t.parent(ctx, e.Path)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Release()
	err = t.removeName(dir, name, e)
	if errors.Is(err, unix.EACCES) && t.open(dir.Path) == nil {
		err = t.removeName(dir, name, e)
	}
	return err
}

func (t *Target) removeName(dir *local.Dir, name string, e *entry.Entry) error {
	if e.Type == entry.Directory {
		return t.removeDirectory(dir, e.Path, name)
	}
	err := unix.Unlinkat(dir.FD, name, 0)
	switch err {
	case nil, unix.ENOENT:
		return nil
	case unix.EBUSY:
		return fmt.Errorf("%w: %w", target.ErrMount, (&object{dir: dir, path: e.Path}).failed("remove", err))
	}
	return (&object{dir: dir, path: e.Path}).failed("remove", err)
}

// removeDirectory removes an empty directory.
func (t *Target) removeDirectory(dir *local.Dir, path, name string) error {
	t.tree.Forget(path)
	err := unix.Unlinkat(dir.FD, name, unix.AT_REMOVEDIR)
	switch err {
	case nil, unix.ENOENT:
		return nil
	case unix.ENOTEMPTY, unix.EEXIST:
		return fmt.Errorf("%w: %w", target.ErrNotEmpty, (&object{dir: dir, path: path}).failed("remove", err))
	case unix.EBUSY:
		return fmt.Errorf("%w: %w", target.ErrMount, (&object{dir: dir, path: path}).failed("remove", err))
	}
	return (&object{dir: dir, path: path}).failed("remove", err)
}

// open makes a directory writable for its owner.
func (t *Target) open(path string) error {
	dir, name, err := t.place(path)
	if err != nil {
		return err
	}
	defer dir.Release()
	o := &object{dir: dir, name: name, fd: -1, path: path}
	var st local.Stat
	if err := o.stat(&st); err != nil {
		return o.failed("stat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o700 == 0o700 {
		return nil
	}
	t.tree.Forget(path) // it may be open for its names only
	if err := o.chmod(uint32(st.Mode)&0o7777 | 0o700); err != nil {
		return o.failed("chmod", err)
	}
	return nil
}

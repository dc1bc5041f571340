package directory

import (
	"context"
	"fmt"

	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// Remove removes path and all below it; what is not there is removed already. The root stays.
func (t *Target) Remove(ctx context.Context, path string) error {
	if path == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	dir, name, err := t.parent(ctx, path)
	if err != nil {
		return err
	}
	defer dir.Release()
	return translate(t.remove(dir, path, name))
}

func (t *Target) remove(dir *local.Dir, path, name string) error {
	err := unix.Unlinkat(dir.FD, name, 0)
	switch err {
	case nil, unix.ENOENT:
		return nil
	case unix.EISDIR, unix.EPERM: // EPERM is what POSIX says of a directory
		return t.removeTree(path)
	}
	return (&object{dir: dir, path: path}).failed("remove", err)
}

// removeTree empties directories from the top down and removes them from the bottom up; it needs no more than one open.
func (t *Target) removeTree(path string) error {
	for stack := []string{path}; len(stack) > 0; {
		at := stack[len(stack)-1]
		below, err := t.removeFiles(at)
		if err != nil {
			return err
		}
		if len(below) > 0 {
			stack = append(stack, below...)
			continue
		}
		if err := t.removeEmpty(at); err != nil {
			return err
		}
		stack = stack[:len(stack)-1]
	}
	return nil
}

// removeFiles removes what is in a directory and returns the directories among it.
func (t *Target) removeFiles(path string) ([]string, error) {
	if err := t.open(path); err != nil {
		return nil, err
	}
	dir, err := t.tree.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Release()
	var names local.Listing
	if err := dir.List(&names); err != nil {
		return nil, err
	}
	var below []string
	for i := range names.Len() {
		name := string(names.Name(i))
		err := unix.Unlinkat(dir.FD, name, 0)
		switch {
		case err == unix.EISDIR, err == unix.EPERM && isDirectory(dir, name):
			below = append(below, path+"/"+name)
		case err != nil && err != unix.ENOENT:
			return nil, (&object{dir: dir, path: path + "/" + name}).failed("remove", err)
		}
	}
	return below, nil
}

func isDirectory(dir *local.Dir, name string) bool {
	var st local.Stat
	return dir.Stat(name, false, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// open makes a directory listable and writable for its owner.
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
	if st.Mode&0o700 == 0o700 || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if err := o.chmod(uint32(st.Mode)&0o7777 | 0o700); err != nil {
		return o.failed("chmod", err)
	}
	return nil
}

func (t *Target) removeEmpty(path string) error {
	t.tree.Forget(path)
	dir, name, err := t.place(path)
	if err != nil {
		return err
	}
	defer dir.Release()
	if err := unix.Unlinkat(dir.FD, name, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return (&object{dir: dir, path: path}).failed("remove", err)
	}
	return nil
}

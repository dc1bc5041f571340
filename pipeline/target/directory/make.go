package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"github.com/packstone/packstone/pipeline/target"
	"golang.org/x/sys/unix"
)

// Accepts refuses sockets, which belong to a process.
func (t *Target) Accepts(e *entry.Entry) error {
	if e.Type == entry.Socket {
		return fmt.Errorf("make socket %s: %w", e.Path, target.ErrUnsupported)
	}
	return check(e.Path)
}

// Make creates a directory, a link or a node. Sockets, and devices that the system does not permit,
// are target.ErrUnsupported.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	if err := t.Accepts(e); err != nil {
		return err
	}
	dir, name, err := t.parent(ctx, e.Path)
	if err != nil {
		return err
	}
	defer dir.Release()
	if e.Type == entry.Directory {
		return translate(t.makeDirectory(dir, name, e))
	}
	if name == local.Self {
		return fmt.Errorf("make a link or node in place of the target's root: %w", target.ErrPath)
	}
	return translate(t.makeSpecial(dir, e))
}

func (t *Target) makeDirectory(dir *local.Dir, name string, e *entry.Entry) error {
	o := &object{dir: dir, name: name, fd: -1, path: e.Path}
	for range 3 {
		err := unix.EEXIST
		if name != local.Self {
			err = errno(unix.Mkdirat(dir.FD, name, 0o700))
		}
		if err == 0 {
			return nil
		}
		if err != unix.EEXIST {
			return o.failed("make directory", err)
		}
		kept, failed := t.keepDirectory(o)
		if kept || failed != nil {
			return failed
		}
	}
	return o.failed("make directory", unix.EEXIST)
}

// keepDirectory makes an existing directory writable for its owner. It removes anything else.
func (t *Target) keepDirectory(o *object) (kept bool, err error) {
	var st local.Stat
	if err := o.stat(&st); err != nil {
		if err == unix.ENOENT {
			return false, nil
		}
		return false, o.failed("stat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		t.tree.Forget(o.path)
		if err := unix.Unlinkat(o.dir.FD, o.name, 0); err != nil && err != unix.ENOENT {
			return false, o.failed("remove", err)
		}
		return false, nil
	}
	if st.Mode&0o700 == 0o700 {
		return true, nil
	}
	t.tree.Forget(o.path) // it may be open for its names only
	if err := o.chmod(uint32(st.Mode)&0o7777 | 0o700); err != nil {
		return true, o.failed("chmod", err)
	}
	return true, nil
}

// makeSpecial makes a link or node under a temporary name, so that it never lacks its metadata
// under its own.
func (t *Target) makeSpecial(dir *local.Dir, e *entry.Entry) error {
	o := &object{dir: dir, name: t.temporary(), fd: -1, path: e.Path}
	stays := dir.Note&appendOnly != 0
	if stays {
		_, o.name = local.Split(e.Path)
		if err := o.vacant(o.name); err != nil {
			return err
		}
	}
	if err := o.makeNode(e); err != nil {
		return err
	}
	err := t.dress(o, e)
	if err == nil && !stays {
		err = t.settle(o, e)
	}
	if err != nil {
		t.discard(o)
	}
	return err
}

func (o *object) makeNode(e *entry.Entry) error {
	var err error
	switch e.Type {
	case entry.Symlink:
		err = unix.Symlinkat(e.Target, o.dir.FD, o.name)
	case entry.Fifo:
		err = o.dir.Mknod(o.name, unix.S_IFIFO|0o600, 0)
	case entry.CharDevice:
		err = o.dir.Mknod(o.name, unix.S_IFCHR|0o600, e.NodeDevice)
	case entry.BlockDevice:
		err = o.dir.Mknod(o.name, unix.S_IFBLK|0o600, e.NodeDevice)
	default:
		return fmt.Errorf("make %s: a file has content, it is to be created", e.Path)
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %w", target.ErrUnsupported, o.failed("make", err))
	}
	if err != nil {
		return o.failed("make", err)
	}
	return nil
}

// Link makes e a second name of the file at existing.
func (t *Target) Link(ctx context.Context, e *entry.Entry, existing string) error {
	if err := check(existing); err != nil {
		return err
	}
	dir, name, err := t.parent(ctx, e.Path)
	if err != nil {
		return err
	}
	defer dir.Release()
	from, old, err := t.place(existing)
	if err != nil {
		return err
	}
	defer from.Release()
	err = unix.Linkat(from.FD, old, dir.FD, name, 0)
	if err == unix.EEXIST {
		err = t.linkOver(from, old, dir, e)
	}
	switch err {
	case nil:
		return nil
	case unix.EPERM, unix.EMLINK, unix.EXDEV, unix.EOPNOTSUPP, unix.ENOSYS:
		return fmt.Errorf("link %s to %s: %w: %w", e.Path, existing, target.ErrUnsupported, err)
	}
	return translate(fmt.Errorf("link %s to %s: %w", e.Path, existing, err))
}

// linkOver replaces what has the name already.
func (t *Target) linkOver(from *local.Dir, old string, dir *local.Dir, e *entry.Entry) error {
	o := &object{dir: dir, name: t.temporary(), fd: -1, path: e.Path}
	if dir.Note&appendOnly != 0 {
		return o.failed("replace", errAppendOnly)
	}
	if err := unix.Linkat(from.FD, old, dir.FD, o.name, 0); err != nil {
		return err
	}
	err := t.settle(o, e)
	// If both are names of one file already, a rename leaves both.
	t.discard(o)
	return err
}

// Finished implements target.Looker. It reads attributes if everything else agrees.
func (t *Target) Finished(there, e *entry.Entry) bool {
	if there.Type != e.Type || e.HasModTime() && e.ModTime != there.ModTime {
		return false
	}
	mode := t.options.Chmod.Of(e)
	uid, gid := t.owner(e)
	if owned := there.UID == uid && there.GID == gid; !owned && !t.options.NoOwner {
		return false
	} else if t.options.NoOwner && (there.UID != e.UID || there.GID != e.GID) {
		mode &^= setIDs
	}
	if e.Type != entry.Symlink && there.Mode != mode {
		return false
	}
	return t.options.NoXattrs || mode == e.Mode && t.hasXattrs(e)
}

// hasXattrs reports whether the file has the attributes of e, and no others that Finish would
// remove.
func (t *Target) hasXattrs(e *entry.Entry) bool {
	dir, name, err := t.place(e.Path)
	if err != nil {
		return false
	}
	defer dir.Release()
	if any, err := dir.HasXattrs(name); err != nil || !any {
		return err == nil && len(e.Xattrs) == 0
	}
	there, err := dir.Xattrs(name)
	if err != nil {
		return false
	}
	o := &object{has: there}
	for _, x := range there {
		if removable(x.Name) && !hasXattr(e, x.Name) {
			return false
		}
	}
	return !slices.ContainsFunc(e.Xattrs, func(x entry.Attribute) bool { return !o.hasAlready(x) })
}

// Finish sets the metadata of an existing entry.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error {
	dir, name, err := t.parent(ctx, e.Path)
	if err != nil {
		return err
	}
	defer dir.Release()
	o := &object{dir: dir, name: name, fd: -1, path: e.Path}
	var st local.Stat
	if err := o.stat(&st); err != nil {
		return translate(o.failed("stat", err))
	}
	var there entry.Entry
	if local.Describe(&st, &there); there.Type != e.Type {
		return fmt.Errorf("finish %s: something of another kind is there", e.Path)
	}
	t.dropXattrs(o, e)
	return translate(t.dress(o, e))
}

// errno returns the number in an error of a system call, 0 for none.
func errno(err error) unix.Errno {
	var number unix.Errno
	if err != nil && !errors.As(err, &number) {
		return unix.EIO
	}
	return number
}

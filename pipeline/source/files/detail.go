package files

import (
	"context"
	"errors"
	"io/fs"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/local"
	"golang.org/x/sys/unix"
)

// Detail adds owner names, link target, extended attributes (including ACLs and security labels)
// and, for a sparse file, where it has data. It sets what it can get even if it returns an error.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if !s.devices.remote.Load() {
		return s.detail(ctx, e)
	}
	mine := *e
	err := wait(ctx, func() error { return s.detail(ctx, &mine) })
	if ctx.Err() == nil {
		*e = mine
	}
	return err
}

func (s *Source) detail(ctx context.Context, e *entry.Entry) error {
	e.User, e.Group = s.owners.User(e.UID), s.owners.Group(e.GID)
	parent, _, _ := s.place(e.Path)
	return s.again(ctx, parent, func() error { return s.detailOnce(e) })
}

func (s *Source) detailOnce(e *entry.Entry) error {
	if err := s.injected("detail", e.Path); err != nil {
		return err
	}
	parent, name, follow := s.place(e.Path)
	dir, err := s.tree.Open(parent)
	if err != nil {
		return err
	}
	defer dir.Release()
	var linkErr, xattrErr, extentErr error
	if e.Type == entry.Symlink {
		e.Target, linkErr = dir.Readlink(name)
	}
	e.Xattrs, xattrErr = dir.Xattrs(name)
	if e.Type == entry.File && !follow {
		e.Extents, extentErr = s.extents(dir, name, e)
	}
	return errors.Join(linkErr, xattrErr, extentErr)
}

// extents returns where a sparse file has data. A file that differs from e is changing: all of it
// may be data.
func (s *Source) extents(dir *local.Dir, name string, e *entry.Entry) ([]entry.Extent, error) {
	if e.Size < 8<<10 {
		return nil, nil
	}
	var st local.Stat
	if err := dir.Stat(name, false, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: dir.Join(name), Err: err}
	}
	modified, changed := local.Times(&st)
	same := st.Size == e.Size && modified == e.ModTime && changed == e.ChangeTime
	if !local.Sparse(&st) || !same || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil
	}
	fd, err := dir.OpenUntouched(name, unix.O_RDONLY, int64(st.Uid))
	if err != nil {
		return nil, nil // Open will say so
	}
	defer unix.Close(fd)
	return local.Extents(fd, st.Size), nil
}

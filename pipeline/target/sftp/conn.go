package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/target"
)

// conn implements distant.Conn, with the context of one call of Do.
type conn struct {
	*sftp.Conn
	server *server
	ctx    context.Context
}

// These methods have other names in the session.
func (c conn) Home() (string, error)                { return c.RealPath(c.ctx, ".") }
func (c conn) ReadLink(file string) (string, error) { return c.Conn.ReadLink(c.ctx, file) }
func (c conn) Put(from, to string) error            { return c.Rename(c.ctx, from, to) }

// CheckWay implements distant.Conn. It does not check known directories again.
func (c conn) CheckWay(file, below string) error {
	dir, above := path.Dir(file), path.Dir(below)
	if above == "." || c.server.knows(dir) {
		return nil
	}
	if err := c.CheckWay(dir, above); err != nil {
		return err
	}
	is, err := c.Lstat(c.ctx, dir)
	if err != nil {
		return err
	}
	if !is.IsDirectory() {
		return fmt.Errorf("%s is not a directory: %w", dir, target.ErrPath)
	}
	c.server.note(dir)
	return nil
}

// maxKnown is how many directories are remembered.
const maxKnown = 1 << 16

func (s *server) knows(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[dir]
}

func (s *server) note(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[dir] = true
}

// forget drops the known directories. It is called before a directory is removed.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.known)
}

// List implements distant.Conn.
func (c conn) List(dir string) (walk.Listing, error) {
	found, err := c.ReadDir(c.ctx, dir)
	l := walk.Listing{Items: make([]walk.Item, len(found))}
	for i := range found {
		e := &entry.Entry{Path: found[i].Name}
		found[i].Describe(e)
		l.Items[i].Entry = e
	}
	return l, err
}

// Look implements distant.Conn.
func (c conn) Look(file string) (e entry.Entry, err error) {
	is, err := c.Lstat(c.ctx, file)
	is.Describe(&e)
	return e, err
}

// IsDirectory implements distant.Conn.
func (c conn) IsDirectory(file string, follow bool) (bool, error) {
	look := c.Lstat
	if follow {
		look = c.Stat
	}
	is, err := look(c.ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && is.IsDirectory(), err
}

// MakeDirectory implements distant.Conn. A server uses one code for all failures, so MakeDirectory
// checks what exists.
func (c conn) MakeDirectory(dir string, mode uint32) (made bool, err error) {
	refused := c.Mkdir(c.ctx, dir, mode)
	if refused == nil {
		c.server.note(dir)
	}
	if refused == nil || sftp.IsBroken(refused) {
		return refused == nil, refused
	}
	is, err := c.Lstat(c.ctx, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, refused
	case err != nil:
		return false, err
	case !is.IsDirectory():
		return false, fmt.Errorf("%w: %w", fs.ErrExist, refused)
	}
	c.server.note(dir)
	return false, nil
}

// MakeLink implements distant.Conn.
func (c conn) MakeLink(file string, e *entry.Entry) error {
	if err := c.Symlink(c.ctx, e.Target, file); err != nil {
		return err
	}
	o := &c.server.options
	var own sftp.Change
	if uid, gid, set := o.owner(e); set {
		own.SetOwner(uid, gid)
	}
	if e.HasModTime() && representable(e) {
		own.SetTime(e.ModTime.Time())
	}
	if err := c.LSetStat(c.ctx, file, own); sftp.IsBroken(err) {
		return err
	} else if err != nil {
		o.Warn(e.Path, fmt.Errorf("set owner and time of the link %s: %w", e.Path, err))
	}
	o.warn(e, nil, nil)
	return nil
}

// Chmod implements distant.Conn.
func (c conn) Chmod(file string, mode uint32) error {
	var change sftp.Change
	change.SetMode(mode)
	return c.SetStat(c.ctx, file, change)
}

// Finish sets owner, permissions and time. It first checks what is not known to be a directory, so
// that it follows no link.
func (c conn) Finish(file string, e *entry.Entry) error {
	changes, what := c.server.options.changes(e)
	refused, err := c.Dress(c.ctx, file, e.Path != "" && !c.server.knows(file), changes...)
	if errors.Is(err, sftp.ErrUnsupported) {
		return fmt.Errorf("%s is neither directory nor file: %w", file, target.ErrPath)
	}
	if err == nil {
		c.server.options.warn(e, what, refused)
	}
	return err
}

// Remove implements distant.Conn. A server uses one code for all failures to remove a directory, so
// Remove checks the directory.
func (c conn) Remove(file string, directory bool) error {
	if !directory {
		return c.Conn.Remove(c.ctx, file)
	}
	c.server.forget()
	err := c.RemoveDirectory(c.ctx, file)
	if !sftp.IsFailure(err) {
		return err
	}
	if all, listed := c.ReadDir(c.ctx, file); listed == nil && len(all) > 0 {
		return fmt.Errorf("%s: %w: %w", file, target.ErrNotEmpty, err)
	}
	return err
}

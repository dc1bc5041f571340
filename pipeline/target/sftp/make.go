package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/target"
)

// Accepts refuses nodes, of which SFTP has none.
func (t *Target) Accepts(e *entry.Entry) error {
	switch e.Type {
	case entry.File, entry.Directory, entry.Symlink:
		return target.CheckPath(e.Path)
	}
	return fmt.Errorf("make %s over SFTP: %w", e.Path, target.ErrUnsupported)
}

// Make makes a directory or a symbolic link.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	switch {
	case e.Type == entry.Directory:
		return t.change(ctx, "make", e.Path, func(c *sftp.Conn, file string) error { return t.makeDirectory(c, file, e) })
	case e.Type == entry.Symlink && e.Path != "":
		name := ""
		return t.change(ctx, "make link", e.Path, func(c *sftp.Conn, file string) error {
			if name != "" { // the connection broke, maybe after the server made the link
				_ = c.Client.Remove(name)
			} else {
				name = t.temporary(file)
			}
			return t.makeLink(c, name, file, e)
		})
	}
	return errors.Join(target.CheckPath(e.Path), fmt.Errorf("make %s over SFTP: %w", e.Path, target.ErrUnsupported))
}

func (t *Target) makeDirectory(c *sftp.Conn, file string, e *entry.Entry) error {
	if e.Path == "" { // it may be reached through a link, and those above it may be missing
		if err := c.MkdirAll(file); err != nil {
			return err
		}
		return t.writable(c, file, e)
	}
	err := c.Mkdir(file)
	if err != nil && !sftp.IsBroken(err) {
		err = t.replaceByDirectory(c, file, err)
	}
	if err != nil {
		return err
	}
	t.note(e.Path)
	return t.writable(c, file, e)
}

// replaceByDirectory keeps a directory and removes anything else that is in the way.
func (t *Target) replaceByDirectory(c *sftp.Conn, file string, refused error) error {
	info, err := c.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return refused
	}
	if err != nil || info.IsDir() {
		return err
	}
	if err := c.Client.Remove(file); err != nil {
		return err
	}
	return c.Mkdir(file)
}

// writable lets its owner into a directory until Finish.
func (t *Target) writable(c *sftp.Conn, file string, e *entry.Entry) error {
	err := c.Chmod(file, os.FileMode(t.mode(e)|0o700))
	if sftp.IsBroken(err) {
		return err
	}
	return nil
}

// makeLink makes a link under a temporary name and renames it.
func (t *Target) makeLink(c *sftp.Conn, name, file string, e *entry.Entry) error {
	if err := c.Symlink(e.Target, name); err != nil {
		return err
	}
	uid, gid, set := t.owner(e)
	number := int64(uid)
	if !set {
		number = -1
	}
	var moment time.Time // zero: it is left as it is
	if e.HasModTime() && representable(e) {
		moment = e.ModTime.Time()
	} else if e.HasModTime() {
		t.warnOfTime(e, errNoTime)
	}
	if err := c.LSetStat(name, number, int64(gid), moment); sftp.IsBroken(err) {
		return err
	} else if err != nil {
		t.options.Warn(e.Path, fmt.Errorf("set owner and time of the link %s: %w", e.Path, err))
	}
	err := t.settle(c, name, file)
	if err != nil && !sftp.IsBroken(err) {
		_ = c.Client.Remove(name)
	}
	return err
}

// path is a dresser by path, of what is no link.
type named struct {
	conn *sftp.Conn
	file string
}

// Chown gives the file to others.
func (n named) Chown(uid, gid int) error { return n.conn.Chown(n.file, uid, gid) }

// Chmod sets its permissions.
func (n named) Chmod(mode os.FileMode) error { return n.conn.Chmod(n.file, mode) }

// Finish sets owner, permissions and time of a directory, or of a file that was kept.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error {
	return t.change(ctx, "finish", e.Path, func(c *sftp.Conn, file string) error {
		if e.Path != "" {
			info, err := c.Lstat(file)
			if err != nil {
				return err
			}
			if !info.IsDir() && !info.Mode().IsRegular() {
				return fmt.Errorf("%s is neither directory nor file: %w", file, target.ErrPath)
			}
		}
		if err := t.dress(named{c, file}, e); err != nil {
			return err
		}
		return t.setTime(c, file, e)
	})
}

// Finished implements target.Looker: all that can be set is told by listings, and links are made with theirs.
func (t *Target) Finished(there, e *entry.Entry) bool {
	if e.Type != entry.File && e.Type != entry.Directory {
		return true
	}
	uid, gid, set := t.owner(e)
	if set && (uid != there.UID || gid != there.GID) {
		return false
	}
	return t.mode(e) == there.Mode && (!e.HasModTime() || !representable(e) || e.ModTime.Seconds == there.ModTime.Seconds)
}

// Remove removes things, several at once.
func (t *Target) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	return target.RemoveSeveral(ctx, 8, all, t.remove, failed)
}

// remove removes one thing. What is not there is removed already.
func (t *Target) remove(ctx context.Context, e *entry.Entry) error {
	if e.Path == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	err := t.change(ctx, "remove", e.Path, func(c *sftp.Conn, file string) error {
		err := t.removeName(c, file, e.Type)
		if !errors.Is(err, fs.ErrPermission) {
			return err
		}
		if err := c.Chmod(path.Dir(file), 0o700); err != nil { // its owner may let himself in
			return err
		}
		return t.removeName(c, file, e.Type)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (t *Target) removeName(c *sftp.Conn, file string, kind entry.Type) error {
	if kind != entry.Directory {
		return c.Client.Remove(file)
	}
	return t.removeDirectory(c, file)
}

// removeDirectory removes a directory that is empty. A server has one word for all that keeps it from that, so it is looked at.
func (t *Target) removeDirectory(c *sftp.Conn, dir string) error {
	t.forget()
	err := c.RemoveDirectory(dir)
	if !sftp.IsFailure(err) {
		return err
	}
	if all, listed := c.ReadDir(dir); listed == nil && len(all) > 0 {
		return fmt.Errorf("%s: %w: %w", dir, target.ErrNotEmpty, err)
	}
	return err
}

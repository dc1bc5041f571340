package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

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
		return t.change(ctx, "make", e.Path, func(c *sftp.Conn, file string) error { return t.makeDirectory(ctx, c, file, e) })
	case e.Type == entry.Symlink && e.Path != "":
		name := ""
		return t.change(ctx, "make link", e.Path, func(c *sftp.Conn, file string) error {
			if name != "" { // the connection broke, maybe after the server made the link
				_ = c.Remove(ctx, name)
			} else {
				name = t.temporary(file)
			}
			return t.makeLink(ctx, c, name, file, e)
		})
	}
	return errors.Join(target.CheckPath(e.Path), fmt.Errorf("make %s over SFTP: %w", e.Path, target.ErrUnsupported))
}

func (t *Target) makeDirectory(ctx context.Context, c *sftp.Conn, file string, e *entry.Entry) error {
	if e.Path == "" { // it may be reached through a link, and those above it may be missing
		if err := makeAll(ctx, c, file); err != nil {
			return err
		}
		return t.writable(ctx, c, file, e)
	}
	err := c.Mkdir(ctx, file, t.mode(e)|0o700)
	if err == nil {
		t.note(e.Path)
		return nil
	}
	if sftp.IsBroken(err) {
		return err
	}
	if err := replaceByDirectory(ctx, c, file, err); err != nil {
		return err
	}
	t.note(e.Path)
	return t.writable(ctx, c, file, e)
}

// makeAll makes a directory and those above it.
func makeAll(ctx context.Context, c *sftp.Conn, dir string) error {
	is, err := c.Stat(ctx, dir)
	switch {
	case err == nil && !is.IsDirectory():
		return fmt.Errorf("%s is no directory: %w", dir, target.ErrPath)
	case err == nil || !errors.Is(err, fs.ErrNotExist) || dir == "/":
		return err
	}
	if err := makeAll(ctx, c, path.Dir(dir)); err != nil {
		return err
	}
	err = c.Mkdir(ctx, dir, 0o777)
	if is, looked := c.Stat(ctx, dir); err != nil && looked == nil && is.IsDirectory() {
		return nil // somebody else was quicker
	}
	return err
}

// replaceByDirectory keeps a directory and removes anything else that is in the way.
func replaceByDirectory(ctx context.Context, c *sftp.Conn, file string, refused error) error {
	is, err := c.Lstat(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		return refused
	}
	if err != nil || is.IsDirectory() {
		return err
	}
	if err := c.Remove(ctx, file); err != nil {
		return err
	}
	return c.Mkdir(ctx, file, 0o777)
}

// writable lets its owner into a directory until Finish.
func (t *Target) writable(ctx context.Context, c *sftp.Conn, file string, e *entry.Entry) error {
	var open sftp.Change
	open.SetMode(t.mode(e) | 0o700)
	if err := c.SetStat(ctx, file, open); sftp.IsBroken(err) {
		return err
	}
	return nil
}

// makeLink makes a link under a temporary name and renames it.
func (t *Target) makeLink(ctx context.Context, c *sftp.Conn, name, file string, e *entry.Entry) error {
	if err := c.Symlink(ctx, e.Target, name); err != nil {
		return err
	}
	var own sftp.Change
	if uid, gid, set := t.owner(e); set {
		own.SetOwner(uid, gid)
	}
	if e.HasModTime() && representable(e) {
		own.SetTime(e.ModTime.Time())
	} else if e.HasModTime() {
		t.changes(e) // which tells that it is not set
	}
	if err := c.LSetStat(ctx, name, own); sftp.IsBroken(err) {
		return err
	} else if err != nil {
		t.options.Warn(e.Path, fmt.Errorf("set owner and time of the link %s: %w", e.Path, err))
	}
	err := t.settle(ctx, c, name, file)
	if err != nil && !sftp.IsBroken(err) {
		_ = c.Remove(ctx, name)
	}
	return err
}

// Finish sets owner, permissions and time of a directory, or of a file that was kept.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error {
	changes := t.changes(e)
	var refused []error
	err := t.change(ctx, "finish", e.Path, func(c *sftp.Conn, file string) (err error) {
		refused, err = c.Dress(ctx, file, e.Path != "" && !t.isKnown(e.Path), sftpChanges(changes)...)
		if errors.Is(err, sftp.ErrUnsupported) {
			return fmt.Errorf("%s is neither directory nor file: %w", file, target.ErrPath)
		}
		return err
	})
	t.warnOf(e, changes, refused)
	return err
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
	return target.RemoveSeveral(ctx, t.server.Transfers(), all, t.remove, failed)
}

// remove removes one thing. What is not there is removed already.
func (t *Target) remove(ctx context.Context, e *entry.Entry) error {
	if e.Path == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	err := t.change(ctx, "remove", e.Path, func(c *sftp.Conn, file string) error {
		err := t.removeName(ctx, c, file, e.Type)
		if !errors.Is(err, fs.ErrPermission) {
			return err
		}
		var open sftp.Change
		open.SetMode(0o700)
		if err := c.SetStat(ctx, path.Dir(file), open); err != nil { // its owner may let himself in
			return err
		}
		return t.removeName(ctx, c, file, e.Type)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (t *Target) removeName(ctx context.Context, c *sftp.Conn, file string, kind entry.Type) error {
	if kind != entry.Directory {
		return c.Remove(ctx, file)
	}
	return t.removeDirectory(ctx, c, file)
}

// removeDirectory removes a directory that is empty. A server has one word for all that keeps it from that, so it is looked at.
func (t *Target) removeDirectory(ctx context.Context, c *sftp.Conn, dir string) error {
	t.forget()
	err := c.RemoveDirectory(ctx, dir)
	if !sftp.IsFailure(err) {
		return err
	}
	if all, listed := c.ReadDir(ctx, dir); listed == nil && len(all) > 0 {
		return fmt.Errorf("%s: %w: %w", dir, target.ErrNotEmpty, err)
	}
	return err
}

package ftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/target"
)

// Make makes a directory. Of links and nodes FTP has none.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	if e.Type != entry.Directory {
		return errors.Join(target.CheckPath(e.Path), fmt.Errorf("make %s over FTP: %w", e.Path, target.ErrUnsupported))
	}
	return t.change(ctx, "make", e.Path, func(c *ftp.Conn, file string) error {
		err := c.MakeDirectory(file)
		switch {
		case errors.Is(err, fs.ErrExist):
			if err := c.Delete(file); err != nil {
				return err
			}
			err = c.MakeDirectory(file)
		case e.Path == "" && err != nil && !ftp.IsBroken(err):
			err = makeAll(c, file)
		}
		if err != nil {
			return err
		}
		return t.writable(c, file, e)
	})
}

// makeAll makes a directory and those above it.
func makeAll(c *ftp.Conn, file string) error {
	if is, err := c.IsDirectory(file); is || err != nil || file == "/" {
		return err
	}
	if err := makeAll(c, path.Dir(file)); err != nil {
		return err
	}
	return c.MakeDirectory(file)
}

// writable lets its owner into a directory until Finish.
func (t *Target) writable(c *ftp.Conn, file string, e *entry.Entry) error {
	if err := c.Chmod(file, t.mode(e)|0o700); ftp.IsBroken(err) {
		return err
	}
	return nil
}

// Finish sets permissions and time of a directory, or of a file that was kept.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error {
	return t.change(ctx, "finish", e.Path, func(c *ftp.Conn, file string) error {
		if err := t.dress(c, file, e); err != nil {
			return err
		}
		return t.checkModes(c, file, e)
	})
}

// checkModes looks once what has become of the permissions of a file: some servers agree to set them and do nothing.
func (t *Target) checkModes(c *ftp.Conn, file string, e *entry.Entry) error {
	if e.Type != entry.File || t.server.NoModes() || !t.checkedModes.CompareAndSwap(false, true) {
		return nil
	}
	l, err := c.ListAll(path.Dir(file))
	if err != nil {
		t.checkedModes.Store(false)
		return err
	}
	for _, f := range l.Entries {
		if f.Name == path.Base(file) && f.Mode != 0 && (f.Mode^t.mode(e))&0o777 != 0 {
			t.server.SetNoModes()
			t.warn(&t.noModes, e, "set permissions", ftp.ErrUnsupported)
		}
	}
	return nil
}

// Finished implements target.Looker. What the server does not tell or cannot set is as it is.
func (t *Target) Finished(there, e *entry.Entry) bool {
	if there.Mode != 0 && there.Mode != t.mode(e)&0o7777 && !t.server.NoModes() {
		return false
	}
	return e.Type != entry.Directory || !e.HasModTime() || there.ModTime.Seconds == e.ModTime.Seconds ||
		!t.server.ExactDirectories() || t.noDirectoryTimes.Load()
}

// Remove removes a path with everything below it. What is not there is removed already.
func (t *Target) Remove(ctx context.Context, below string) error {
	if below == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	return t.change(ctx, "remove", below, func(c *ftp.Conn, file string) error {
		is, err := c.IsDirectory(file)
		if err != nil {
			return err
		}
		if is && !t.isLink(c, file) {
			return t.remove(c, file)
		}
		err = c.Delete(file)
		if err == nil || ftp.IsBroken(err) {
			return err
		}
		if _, looked := c.Look(file); errors.Is(looked, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// isLink tells whether what can be entered like a directory is a link to one, as far as the server tells.
func (t *Target) isLink(c *ftp.Conn, file string) bool {
	l, err := c.ListAll(path.Dir(file))
	if err != nil {
		return false
	}
	for _, e := range l.Entries {
		if e.Name == path.Base(file) {
			return e.Kind == ftp.Link
		}
	}
	return false
}

// remove removes a directory. Its permissions may forbid it to its owner.
func (t *Target) remove(c *ftp.Conn, dir string) error {
	if err := c.Chmod(dir, 0o700); ftp.IsBroken(err) {
		return err
	}
	l, err := c.ListAll(dir)
	if err != nil {
		return err
	}
	for _, e := range l.Entries {
		file := ftp.Join(dir, e.Name)
		if e.Kind == ftp.Directory {
			err = t.remove(c, file)
		} else {
			err = c.Delete(file)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return c.RemoveDir(dir)
}

package ftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/target"
)

// Accepts refuses links and nodes, of which FTP has none, and names that it cannot say.
func (t *Target) Accepts(e *entry.Entry) error {
	if e.Type != entry.Directory && e.Type != entry.File {
		return errors.Join(target.CheckPath(e.Path), fmt.Errorf("make %s over FTP: %w", e.Path, target.ErrUnsupported))
	}
	return cmp.Or(target.CheckPath(e.Path), translate(ftp.CheckName(e.Path)))
}

// Make makes a directory.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	if err := t.Accepts(e); err != nil || e.Type != entry.Directory {
		return cmp.Or(err, fmt.Errorf("make %s over FTP: %w", e.Path, target.ErrUnsupported))
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

// Remove removes things, several at once.
func (t *Target) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	return target.RemoveSeveral(ctx, t.server.Connections(), all, t.remove, failed)
}

// remove removes one thing. What is not there is removed already.
func (t *Target) remove(ctx context.Context, e *entry.Entry) error {
	if e.Path == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	return t.change(ctx, "remove", e.Path, func(c *ftp.Conn, file string) error {
		err := t.removeName(c, file, e.Type)
		if err == nil || ftp.IsBroken(err) || errors.Is(err, target.ErrNotEmpty) {
			return err
		}
		if _, looked := c.Look(file); errors.Is(looked, fs.ErrNotExist) {
			return nil
		}
		if c.Chmod(path.Dir(file), 0o700) != nil { // its owner may let himself in
			return err
		}
		return t.removeName(c, file, e.Type)
	})
}

func (t *Target) removeName(c *ftp.Conn, file string, kind entry.Type) error {
	if kind != entry.Directory {
		return c.Delete(file)
	}
	return t.removeDirectory(c, file)
}

// removeDirectory removes a directory that is empty. Servers have one word for all that keeps them from that, and some would remove what is in it
// too, so it is looked at first.
func (t *Target) removeDirectory(c *ftp.Conn, dir string) error {
	l, err := c.ListAll(dir)
	if err != nil {
		return err
	}
	if len(l.Entries) > 0 || len(l.Problems) > 0 {
		return ftp.Finding(fmt.Errorf("%s: %w", dir, target.ErrNotEmpty))
	}
	return c.RemoveDir(dir)
}

package distant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
)

// Accepts refuses types that the protocol does not have, and names that it cannot transmit.
func (t *Target) Accepts(e *entry.Entry) error {
	switch {
	case e.Type == entry.Directory, e.Type == entry.File, e.Type == entry.Symlink && t.protocol.Symlinks:
		return t.check(e.Path)
	}
	return errors.Join(target.CheckPath(e.Path), t.unsupported("make", e.Path))
}

func (t *Target) unsupported(act, below string) error {
	return fmt.Errorf("%s %s over %s: %w", act, below, t.protocol.Name, target.ErrUnsupported)
}

// Link is not supported: either the protocol has no hard links, or it does not show afterwards that
// two names are one file.
func (t *Target) Link(_ context.Context, e *entry.Entry, existing string) error {
	return cmp.Or(target.CheckPath(e.Path), target.CheckPath(existing), t.unsupported("hard link", e.Path))
}

// Make makes a directory or a symbolic link.
func (t *Target) Make(ctx context.Context, e *entry.Entry) error {
	err := t.Accepts(e)
	switch {
	case err != nil:
		return err
	case e.Type == entry.Directory:
		return t.change(ctx, "make", e.Path, func(c Conn, file string) error { return t.makeDirectory(c, file, e) })
	case e.Type == entry.Symlink && e.Path != "":
		return t.makeLink(ctx, e)
	}
	return t.unsupported("make", e.Path)
}

// makeDirectory makes a directory that is writable for its owner until Finish. The root exists,
// perhaps as a link.
func (t *Target) makeDirectory(c Conn, file string, e *entry.Entry) error {
	mode := t.options.Chmod.Of(e)&^target.SetIDs | 0o700
	if e.Path != "" {
		made, err := c.MakeDirectory(file, mode)
		if errors.Is(err, fs.ErrExist) {
			if err := c.Remove(file, false); err != nil {
				return err
			}
			made, err = c.MakeDirectory(file, mode)
		}
		if made || err != nil {
			return err
		}
	}
	if err := c.Chmod(file, mode); t.protocol.IsBroken(err) {
		return err
	}
	return nil
}

// makeLink makes a link under a temporary name and renames it.
func (t *Target) makeLink(ctx context.Context, e *entry.Entry) error {
	name := ""
	return t.change(ctx, "make link", e.Path, func(c Conn, file string) error {
		if name == "" {
			name = t.temporary(file)
		} else { // the connection broke, maybe after the server made the link
			_ = c.Remove(name, false)
		}
		if err := c.MakeLink(name, e); err != nil {
			return err
		}
		err := t.settle(c, name, file)
		if err != nil && !t.protocol.IsBroken(err) {
			_ = c.Remove(name, false)
		}
		return err
	})
}

// Finish sets what can be set of a directory, or of a file that was kept.
func (t *Target) Finish(ctx context.Context, e *entry.Entry) error {
	return t.change(ctx, "finish", e.Path, func(c Conn, file string) error { return c.Finish(file, e) })
}

// Remove removes things, several at once.
func (t *Target) Remove(ctx context.Context, all []*entry.Entry, failed func(e *entry.Entry, err error)) error {
	return target.RemoveSeveral(ctx, t.protocol.Transfers(), all, t.remove, failed)
}

// remove removes one entry. A missing one counts as removed.
func (t *Target) remove(ctx context.Context, e *entry.Entry) error {
	if e.Path == "" {
		return fmt.Errorf("remove the target's root: %w", target.ErrPath)
	}
	err := t.change(ctx, "remove", e.Path, func(c Conn, file string) error {
		err := c.Remove(file, e.Type == entry.Directory)
		if !errors.Is(err, fs.ErrPermission) || c.Chmod(path.Dir(file), 0o700) != nil { // its owner may let himself in
			return err
		}
		return c.Remove(file, e.Type == entry.Directory)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

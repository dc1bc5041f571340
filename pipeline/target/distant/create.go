package distant

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/target"
)

// file is a file being restored, under a temporary name.
type file struct {
	target *Target
	entry  *entry.Entry
	ctx    context.Context
	name   string // absolute
	upload Upload
	size   int64 // when it is whole, as far as is known
	over   bool
}

// Create begins a file. ctx governs all writing.
func (t *Target) Create(ctx context.Context, e *entry.Entry) (target.File, error) {
	if e.Type != entry.File {
		return nil, fmt.Errorf("create %s: it is not a file", e.Path)
	}
	if e.Path == "" {
		return nil, fmt.Errorf("create a file in place of the target's root: %w", target.ErrPath)
	}
	f := &file{target: t, entry: e, ctx: ctx, size: e.Size}
	err := t.change(ctx, "create", e.Path, func(_ Conn, file string) error { f.name = t.temporary(file); return nil })
	if err != nil {
		return nil, err
	}
	if f.upload, err = t.server.Create(ctx, f.name, e); err != nil {
		return nil, target.FromRemote(err)
	}
	return f, nil
}

// WriteAt writes the next bytes. Gaps in a sparse file become holes, or zeros.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.upload.WriteAt(p, offset)
	f.size = max(f.size, offset+int64(n))
	return n, target.FromRemote(err)
}

// Commit waits until the server has the whole file, sets its metadata and renames it.
func (f *file) Commit(ctx context.Context) error {
	if f.over {
		return fmt.Errorf("commit %s: %w", f.entry.Path, fs.ErrClosed)
	}
	defer f.Abort()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.upload.Close(ctx); err != nil {
		return target.FromRemote(err)
	}
	again := false
	err := f.target.change(ctx, "commit", f.entry.Path, func(c Conn, file string) error {
		if again && f.isSettled(c, file) {
			return nil
		}
		again = true
		return f.target.settle(c, f.name, file)
	})
	f.over = err == nil
	return err
}

// isSettled reports whether the server had renamed the file before the connection broke.
func (f *file) isSettled(c Conn, file string) bool {
	_, err := c.Look(f.name)
	is, looked := c.Look(file)
	return errors.Is(err, fs.ErrNotExist) && looked == nil && is.Size == f.size
}

// settle renames. It removes an empty directory in the way.
func (t *Target) settle(c Conn, from, to string) error {
	err := c.Put(from, to)
	if err == nil || t.protocol.IsBroken(err) {
		return err
	}
	if is, looked := c.IsDirectory(to, false); looked != nil || !is {
		return errors.Join(err, looked)
	}
	if err := c.Remove(to, true); err != nil {
		return err
	}
	return c.Put(from, to)
}

// Abort ends the upload and deletes what the server has of it. If that fails, the next Walk does
// it.
func (f *file) Abort() {
	if f.over {
		return
	}
	f.over = true
	f.upload.Abort()
	if !f.upload.Started() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), 10*time.Second)
	defer cancel()
	_ = f.target.server.Do(ctx, "remove", f.name, func(c Conn) error { return c.Remove(f.name, false) })
}

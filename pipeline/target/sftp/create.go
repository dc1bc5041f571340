package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/target"
)

// file is a file being restored, under a temporary name.
type file struct {
	target *Target
	entry  *entry.Entry
	ctx    context.Context
	name   string // absolute
	upload *sftp.Writer
	over   bool
}

// Create begins a file. ctx is for all of its writing.
func (t *Target) Create(ctx context.Context, e *entry.Entry) (target.File, error) {
	if e.Type != entry.File {
		return nil, fmt.Errorf("create %s: it is no file", e.Path)
	}
	if e.Path == "" {
		return nil, fmt.Errorf("create a file in place of the target's root: %w", target.ErrPath)
	}
	f := &file{target: t, entry: e, ctx: ctx}
	if err := t.change(ctx, "create", e.Path, func(_ *sftp.Conn, file string) error { f.name = t.temporary(file); return nil }); err != nil {
		return nil, err
	}
	f.upload = t.server.Create(ctx, f.name)
	return f, nil
}

// WriteAt writes the next bytes.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.upload.WriteAt(p, offset)
	return n, f.target.translate(f.ctx, err)
}

// Commit gives the file its size, metadata and name.
func (f *file) Commit(ctx context.Context) error {
	if f.over {
		return fmt.Errorf("commit %s: %w", f.entry.Path, fs.ErrClosed)
	}
	defer f.Abort()
	if err := ctx.Err(); err != nil {
		return err
	}
	changes := f.target.changes(f.entry)
	refused, err := f.upload.Close(f.entry.Size, !f.target.options.NoSync, sftpChanges(changes)...)
	if err != nil {
		return f.target.translate(f.ctx, err)
	}
	f.target.warnOf(f.entry, changes, refused)
	again := false
	err = f.target.change(ctx, "commit", f.entry.Path, func(c *sftp.Conn, file string) error {
		if again && f.isSettled(c, file) {
			return nil
		}
		again = true
		return f.target.settle(ctx, c, f.name, file)
	})
	f.over = err == nil
	return err
}

// isSettled tells whether the connection broke after the server had renamed the file.
func (f *file) isSettled(c *sftp.Conn, file string) bool {
	_, err := c.Lstat(f.ctx, f.name)
	is, looked := c.Lstat(f.ctx, file)
	return errors.Is(err, fs.ErrNotExist) && looked == nil && int64(is.Size) == max(f.upload.Size(), f.entry.Size)
}

// change is one thing that is set of an entry, and what it is called.
type change struct {
	sftp.Change
	what string
}

func sftpChanges(changes []change) (all []sftp.Change) {
	for _, c := range changes {
		all = append(all, c.Change)
	}
	return all
}

// changes are owner, permissions and time of an entry. A time that the protocol has not is told and left.
func (t *Target) changes(e *entry.Entry) []change {
	var all []change
	if uid, gid, set := t.owner(e); set {
		c := change{what: fmt.Sprintf("owner of %s to %d:%d", e.Path, uid, gid)}
		c.SetOwner(uid, gid)
		all = append(all, c)
	}
	mode := change{what: "permissions of " + e.Path}
	mode.SetMode(t.mode(e))
	all = append(all, mode)
	if !e.HasModTime() {
		return all
	}
	moment := change{what: fmt.Sprintf("time of %s to %s", e.Path, e.ModTime.Time().Format(time.RFC3339))}
	if !representable(e) {
		t.warnOf(e, []change{moment}, []error{errNoTime})
		return all
	}
	moment.SetTime(e.ModTime.Time())
	return append(all, moment)
}

var errNoTime = errors.New("SFTP has no such time")

// warnOf tells which changes were refused: they are left.
func (t *Target) warnOf(e *entry.Entry, changes []change, refused []error) {
	var left error
	for i, err := range refused {
		if err != nil {
			left = errors.Join(left, fmt.Errorf("set %s: %w", changes[i].what, err))
		}
	}
	if left != nil {
		t.options.Warn(e.Path, left)
	}
}

// owner is whom e is to belong to, if it is to be somebody else than the one who is logged in.
func (t *Target) owner(e *entry.Entry) (uid, gid uint32, set bool) {
	uid, gid = t.options.Owner.Apply(e.UID, e.GID)
	return uid, gid, t.options.Owner.Named() || !t.options.NoOwner && (uid != 0 || gid != 0)
}

func (t *Target) mode(e *entry.Entry) uint32 {
	return t.options.Chmod.Of(e)
}

// representable tells whether the protocol has the entry's time.
func representable(e *entry.Entry) bool {
	s := e.ModTime.Seconds
	return s >= 0 && s <= math.MaxUint32
}

// settle renames. An empty directory in the way is removed.
func (t *Target) settle(ctx context.Context, c *sftp.Conn, from, to string) error {
	err := c.Rename(ctx, from, to)
	if err == nil || sftp.IsBroken(err) {
		return err
	}
	is, looked := c.Lstat(ctx, to)
	if looked != nil || !is.IsDirectory() {
		return err
	}
	if err := t.removeDirectory(ctx, c, to); err != nil {
		return err
	}
	return c.Rename(ctx, from, to)
}

// Abort removes what was written. If that does not succeed the next Walk does it.
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
	_ = f.target.server.Do(ctx, "remove", f.name, func(c *sftp.Conn) error { return c.Remove(ctx, f.name) })
}

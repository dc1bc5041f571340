package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sync"
	"time"

	pkg "github.com/pkg/sftp"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/target"
)

// file is a file being restored, under a temporary name. What the server has acknowledged it has, so after a broken connection it is
// opened again and writing goes on.
type file struct {
	target *Target
	entry  *entry.Entry
	ctx    context.Context
	name   string // absolute

	mu   sync.Mutex
	conn *sftp.Conn
	open *pkg.File
	end  int64
	over bool
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
	err := t.change(ctx, "create", e.Path, func(c *sftp.Conn, file string) error {
		if f.name == "" {
			f.name = t.temporary(file)
		}
		// Not O_EXCL: the connection may have broken after the server made the file.
		return f.reopen(c, os.O_CREATE|os.O_TRUNC)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) reopen(c *sftp.Conn, flags int) error {
	open, err := c.OpenFile(f.name, os.O_WRONLY|flags)
	if err != nil {
		return err
	}
	f.conn, f.open = c, open
	return nil
}

// again calls do, and after a connection broke with another one.
func (f *file) again(act string, do func(open *pkg.File) error) error {
	f.mu.Lock()
	open, conn := f.open, f.conn
	f.mu.Unlock()
	err := do(open)
	if !sftp.IsBroken(err) {
		return err
	}
	f.target.server.Drop(conn)
	return f.target.server.Do(f.ctx, act, f.name, func(c *sftp.Conn) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.reopen(c, 0); err != nil {
			return err
		}
		return do(f.open)
	})
}

// WriteAt implements io.WriterAt. A large p goes by several requests at once.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, context.Cause(f.ctx)
	}
	err := f.again("write", func(open *pkg.File) error {
		_, err := open.WriteAt(p, offset)
		return err
	})
	if err != nil {
		return 0, f.target.translate(f.ctx, fmt.Errorf("write %s on %s: %w", f.entry.Path, f.target.server.Host(), err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = max(f.end, offset+int64(len(p)))
	return len(p), nil
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
	if err := f.complete(); err != nil {
		return f.target.translate(f.ctx, fmt.Errorf("complete %s on %s: %w", f.entry.Path, f.target.server.Host(), err))
	}
	again := false
	err := f.target.change(ctx, "commit", f.entry.Path, func(c *sftp.Conn, file string) error {
		if again && f.isSettled(c, file) {
			return nil
		}
		again = true
		return f.target.settle(c, f.name, file)
	})
	f.over = err == nil
	return err
}

// isSettled tells whether the connection broke after the server had renamed the file.
func (f *file) isSettled(c *sftp.Conn, file string) bool {
	_, err := c.Lstat(f.name)
	info, looked := c.Lstat(file)
	return errors.Is(err, fs.ErrNotExist) && looked == nil && info.Size() == max(f.end, f.entry.Size)
}

// complete checks that the server has all, and sets metadata while the file bears its temporary name.
func (f *file) complete() error {
	return f.again("complete", func(open *pkg.File) error {
		if f.end < f.entry.Size {
			if err := open.Truncate(f.entry.Size); err != nil {
				return err
			}
		}
		info, err := open.Stat()
		if err != nil {
			return err
		}
		if want := max(f.end, f.entry.Size); info.Size() != want {
			return fmt.Errorf("the server has %d bytes of %d", info.Size(), want)
		}
		if err := f.target.dress(open, f.entry); err != nil {
			return err
		}
		if err := f.setTime(); err != nil {
			return err
		}
		return f.sync(open)
	})
}

// setTime comes after all that is written.
func (f *file) setTime() error {
	return f.target.setTime(f.conn, f.name, f.entry)
}

func (f *file) sync(open *pkg.File) error {
	if _, ok := f.conn.HasExtension("fsync@openssh.com"); ok && !f.target.options.NoSync {
		if err := open.Sync(); err != nil {
			return err
		}
	}
	return open.Close()
}

// dresser is an open file, or a path.
type dresser interface {
	Chown(uid, gid int) error
	Chmod(mode os.FileMode) error
}

// dress sets owner and permissions. What is not permitted is told and left.
func (t *Target) dress(d dresser, e *entry.Entry) error {
	var left error
	if uid, gid, set := t.owner(e); set {
		if err := d.Chown(int(uid), int(gid)); sftp.IsBroken(err) {
			return err
		} else if err != nil {
			left = fmt.Errorf("set owner of %s to %d:%d: %w", e.Path, uid, gid, err)
		}
	}
	if err := d.Chmod(os.FileMode(t.mode(e))); sftp.IsBroken(err) {
		return err
	} else if err != nil {
		left = errors.Join(left, fmt.Errorf("set permissions of %s: %w", e.Path, err))
	}
	if left != nil {
		t.options.Warn(e.Path, left)
	}
	return nil
}

// owner is whom e is to belong to, if it is to be somebody else than the one who is logged in.
func (t *Target) owner(e *entry.Entry) (uid, gid uint32, set bool) {
	uid, gid = t.options.Owner.Apply(e.UID, e.GID)
	return uid, gid, t.options.Owner.Named() || !t.options.NoOwner && (uid != 0 || gid != 0)
}

func (t *Target) mode(e *entry.Entry) uint32 {
	return t.options.Chmod.Apply(e.Mode, e.Type == entry.Directory) & 0o7777
}

// setTime sets the time of what is no link. The protocol has 32 bits for it.
func (t *Target) setTime(c *sftp.Conn, file string, e *entry.Entry) error {
	if !e.HasModTime() {
		return nil
	}
	err := errNoTime
	if representable(e) {
		moment := e.ModTime.Time()
		err = c.Chtimes(file, moment, moment)
	}
	if sftp.IsBroken(err) {
		return err
	}
	if err != nil {
		t.warnOfTime(e, err)
	}
	return nil
}

var errNoTime = errors.New("SFTP has no such time")

func (t *Target) warnOfTime(e *entry.Entry, err error) {
	t.options.Warn(e.Path, fmt.Errorf("set time of %s to %s: %w", e.Path, e.ModTime.Time().Format(time.RFC3339), err))
}

// representable tells whether the protocol has the entry's time.
func representable(e *entry.Entry) bool {
	s := e.ModTime.Seconds
	return s >= 0 && s <= math.MaxUint32
}

// settle renames. An empty directory in the way is removed.
func (t *Target) settle(c *sftp.Conn, from, to string) error {
	err := rename(c, from, to)
	if err == nil || sftp.IsBroken(err) {
		return err
	}
	info, looked := c.Lstat(to)
	if looked != nil || !info.IsDir() {
		return err
	}
	if err := t.removeDirectory(c, to); err != nil {
		return err
	}
	return rename(c, from, to)
}

// rename replaces what is there. Without posix-rename it is removed first.
func rename(c *sftp.Conn, from, to string) error {
	if _, ok := c.HasExtension("posix-rename@openssh.com"); ok {
		return c.PosixRename(from, to)
	}
	err := c.Rename(from, to)
	if err == nil || sftp.IsBroken(err) {
		return err
	}
	if removed := c.Client.Remove(to); removed != nil {
		return err
	}
	return c.Rename(from, to)
}

// Abort removes what was written. If that does not succeed the next Walk does it.
func (f *file) Abort() {
	if f.over {
		return
	}
	f.over = true
	_ = f.open.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), 10*time.Second)
	defer cancel()
	_ = f.target.server.Do(ctx, "remove", f.name, func(c *sftp.Conn) error { return c.Client.Remove(f.name) })
}

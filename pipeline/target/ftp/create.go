package ftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/target"
)

// file is a file being restored, under a temporary name.
type file struct {
	target *Target
	entry  *entry.Entry
	ctx    context.Context
	name   string // absolute
	upload *ftp.Writer
	at     int64
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
	if err := t.change(ctx, "create", e.Path, func(_ *ftp.Conn, file string) error { f.name = t.temporary(file); return nil }); err != nil {
		return nil, err
	}
	var err error
	if f.upload, err = t.server.Create(ctx, f.name); err != nil {
		return nil, translate(err)
	}
	return f, nil
}

// WriteAt writes the next bytes. What lies between, of a sparse file, is zeros.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	if offset < f.at {
		return 0, fmt.Errorf("write %s at %d: %d bytes are written, and FTP files are written in order", f.entry.Path, offset, f.at)
	}
	if err := f.pad(offset); err != nil {
		return 0, err
	}
	n, err := f.upload.Write(p)
	f.at += int64(n)
	return n, translate(err)
}

var zeros [64 << 10]byte

// pad writes zeros up to an offset.
func (f *file) pad(to int64) error {
	for f.at < to {
		n, err := f.upload.Write(zeros[:min(int64(len(zeros)), to-f.at)])
		f.at += int64(n)
		if err != nil {
			return translate(err)
		}
	}
	return nil
}

// Commit waits until the server has all, and gives the file its metadata and name.
func (f *file) Commit(ctx context.Context) error {
	if f.over {
		return fmt.Errorf("commit %s: %w", f.entry.Path, fs.ErrClosed)
	}
	defer f.Abort()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.pad(f.entry.Size); err != nil {
		return err
	}
	if err := f.upload.Close(); err != nil {
		return translate(err)
	}
	again := false
	err := f.target.change(ctx, "commit", f.entry.Path, func(c *ftp.Conn, file string) error {
		if again && f.isSettled(c, file) {
			return nil
		}
		again = true
		if err := f.target.dress(c, f.name, f.entry); err != nil {
			return err
		}
		return f.target.settle(c, f.name, file)
	})
	f.over = err == nil
	return err
}

// isSettled tells whether the connection broke after the server had renamed the file.
func (f *file) isSettled(c *ftp.Conn, file string) bool {
	_, err := c.Size(f.name)
	size, looked := c.Size(file)
	return errors.Is(err, fs.ErrNotExist) && looked == nil && size == f.at
}

// dress sets permissions and time.
func (t *Target) dress(c *ftp.Conn, file string, e *entry.Entry) error {
	var moment time.Time
	if e.HasModTime() && (e.Type != entry.Directory || !t.noDirectoryTimes.Load()) {
		moment = e.ModTime.Time()
	}
	ofMode, ofTime := c.Dress(file, t.mode(e), moment)
	for _, err := range []error{ofMode, ofTime} {
		if ftp.IsBroken(err) {
			return err
		}
	}
	if ofMode != nil {
		t.warn(&t.noModes, e, "set permissions", ofMode)
	}
	if ofTime != nil {
		if e.Type == entry.Directory && errors.Is(ofTime, ftp.ErrUnsupported) {
			t.noDirectoryTimes.Store(true)
		}
		t.warn(&t.noTimes, e, "set times", ofTime)
	}
	return nil
}

func (t *Target) mode(e *entry.Entry) uint32 {
	return t.options.Chmod.Of(e)
}

// warn tells what could not be set, once if the server has no way to do it.
func (t *Target) warn(once *sync.Once, e *entry.Entry, act string, err error) {
	switch {
	case !errors.Is(err, ftp.ErrUnsupported):
		t.options.Warn(e.Path, fmt.Errorf("%s of %s on %s: %w", act, e.Path, t.server.Host(), err))
	case e.Type == entry.Directory && once == &t.noTimes: // most servers set times of files alone
	default:
		once.Do(func() { t.options.Warn("", fmt.Errorf("%s on %s: %w for this user", act, t.server.Host(), err)) })
	}
}

// settle renames. An empty directory in the way is removed.
func (t *Target) settle(c *ftp.Conn, from, to string) error {
	err := c.Put(from, to)
	if err == nil || ftp.IsBroken(err) {
		return err
	}
	if is, looked := c.IsDirectory(to); looked != nil || !is {
		return errors.Join(err, looked)
	}
	if err := t.removeDirectory(c, to); err != nil {
		return err
	}
	return c.Put(from, to)
}

// Abort ends the upload and removes what the server has of it.
func (f *file) Abort() {
	if f.over {
		return
	}
	f.over = true
	started := f.upload.Started()
	f.upload.Abort()
	if !started {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), 10*time.Second)
	defer cancel()
	// If this does not succeed, the next Walk does it.
	_ = f.target.server.Do(ctx, "remove", f.name, func(c *ftp.Conn) error { return c.Delete(f.name) })
}

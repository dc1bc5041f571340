package ftp

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/target"
)

// conn implements distant.Conn. It is cut when its context ends.
type conn struct {
	*ftp.Conn
	server *server
}

// FTP can neither show all links, nor make one, nor return its target. The server chooses the mode
// of a directory.
func (c conn) Home() (string, error)                        { return c.Conn.Home(), nil }
func (c conn) CheckWay(string, string) error                { return nil }
func (c conn) ReadLink(string) (string, error)              { return "", nil }
func (c conn) MakeLink(string, *entry.Entry) error          { return target.ErrUnsupported }
func (c conn) IsDirectory(dir string, _ bool) (bool, error) { return c.Conn.IsDirectory(dir) }
func (c conn) MakeDirectory(dir string, _ uint32) (bool, error) {
	return false, c.Conn.MakeDirectory(dir)
}

// List implements distant.Conn.
func (c conn) List(dir string) (walk.Listing, error) {
	found, err := c.ListAll(dir)
	var l walk.Listing
	for _, err := range found.Problems {
		l.Problems = append(l.Problems, walk.Problem{Err: err})
	}
	for i := range found.Entries {
		f := &found.Entries[i]
		e := f.Describe()
		if e.Type == 0 {
			e.Type = entry.Fifo // of what it is FTP tells only that it is not a file
		}
		l.Items = append(l.Items, walk.Item{Entry: &e, Key: f.Unique})
	}
	return l, err
}

// Look implements distant.Conn.
func (c conn) Look(file string) (entry.Entry, error) {
	is, err := c.Conn.Look(file)
	return is.Describe(), err
}

// Finish implements distant.Conn.
func (c conn) Finish(file string, e *entry.Entry) error {
	if err := c.server.dress(c.Conn, file, e); err != nil {
		return err
	}
	return c.server.checkModes(c.Conn, file, e)
}

// dress sets permissions and time.
func (s *server) dress(c *ftp.Conn, file string, e *entry.Entry) error {
	var moment time.Time
	if e.HasModTime() && (e.Type != entry.Directory || !s.noDirectoryTimes.Load()) {
		moment = e.ModTime.Time()
	}
	mode := s.options.Chmod.Of(e)
	if mode&target.SetIDs != 0 {
		s.noSetIDs.Do(func() {
			s.options.Warn("", fmt.Errorf("set-uid and set-gid bits are left off on %s: FTP cannot give files to their owner, and these bits would lend the rights of another", s.Host()))
		})
	}
	ofMode, ofTime := c.Dress(file, mode&^target.SetIDs, moment)
	for _, err := range []error{ofMode, ofTime} {
		if ftp.IsBroken(err) {
			return err
		}
	}
	if ofMode != nil {
		s.warn(&s.noModes, e, "set permissions", ofMode)
	}
	if ofTime != nil {
		if e.Type == entry.Directory && errors.Is(ofTime, ftp.ErrUnsupported) {
			s.noDirectoryTimes.Store(true)
		}
		s.warn(&s.noTimes, e, "set times", ofTime)
	}
	return nil
}

// warn reports what could not be set; only once if the server has no command for it.
func (s *server) warn(once *sync.Once, e *entry.Entry, act string, err error) {
	switch {
	case !errors.Is(err, ftp.ErrUnsupported):
		s.options.Warn(e.Path, fmt.Errorf("%s of %s on %s: %w", act, e.Path, s.Host(), err))
	case e.Type == entry.Directory && once == &s.noTimes: // most servers set times of files alone
	default:
		once.Do(func() { s.options.Warn("", fmt.Errorf("%s on %s: %w for this user", act, s.Host(), err)) })
	}
}

// checkModes checks once whether the permissions of a file were set: some servers accept the
// command and do nothing.
func (s *server) checkModes(c *ftp.Conn, file string, e *entry.Entry) error {
	if e.Type != entry.File || s.NoModes() || !s.checkedModes.CompareAndSwap(false, true) {
		return nil
	}
	l, err := c.ListAll(path.Dir(file))
	if err != nil {
		s.checkedModes.Store(false)
		return err
	}
	for _, f := range l.Entries {
		if f.Name == path.Base(file) && f.Mode != 0 && (f.Mode^s.options.Chmod.Of(e))&0o777 != 0 {
			s.SetNoModes()
			s.warn(&s.noModes, e, "set permissions", ftp.ErrUnsupported)
		}
	}
	return nil
}

// Remove implements distant.Conn. Servers use one code for all failures, so Remove checks whether
// the file exists at all.
func (c conn) Remove(file string, directory bool) error {
	remove := c.Delete
	if directory {
		remove = c.removeDirectory
	}
	err := remove(file)
	if err == nil || ftp.IsBroken(err) || errors.Is(err, target.ErrNotEmpty) {
		return err
	}
	if _, looked := c.Conn.Look(file); errors.Is(looked, fs.ErrNotExist) {
		return looked
	}
	return forbidden{err}
}

// removeDirectory first checks that the directory is empty: some servers would remove its content
// too.
func (c conn) removeDirectory(dir string) error {
	l, err := c.ListAll(dir)
	switch {
	case err != nil:
		return err
	case len(l.Entries) > 0 || len(l.Problems) > 0:
		return fmt.Errorf("%s: %w", dir, target.ErrNotEmpty)
	}
	return c.RemoveDir(dir)
}

// forbidden is why something that exists could not be removed.
type forbidden struct{ error }

// Unwrap and Is implement what errors.Is asks for.
func (f forbidden) Unwrap() error        { return f.error }
func (f forbidden) Is(target error) bool { return target == fs.ErrPermission }

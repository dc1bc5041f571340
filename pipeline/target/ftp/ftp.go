// Package ftp is the target for a directory on an FTP server. A file is uploaded under a temporary
// name in the same directory, and renamed when its size shows that the server has all of it. Times
// and permissions are restored if the server has commands for them (MFMT, SITE UTIME, MDTM with a
// time; SITE CHMOD). Owners and links never are, nor are set-uid and set-gid bits, which would lend
// the rights of the wrong owner. Symbolic links on the server may lead outside the directory, and FTP
// cannot show all of them, so the server itself should confine the user to a directory.
package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/distant"
)

// Options determine how to write.
type Options = distant.Options

// Target is a directory on a server. It implements target.Looker.
type Target struct {
	*distant.Target
	server *server
}

var _ target.Looker = (*Target)(nil)

// New returns the target. Its Close closes to.
func New(to *ftp.Server, options Options) (*Target, error) {
	if options.Warn == nil {
		options.Warn = func(string, error) {}
	}
	s := &server{Server: to, options: options}
	t, err := distant.New(distant.Protocol{
		Name: "FTP", Transfers: to.Connections, Listers: to.Connections, // a transfer or a listing has a connection of its own
		IsBroken: ftp.IsBroken, CheckName: checkName,
	}, s, options)
	if err != nil {
		return nil, err
	}
	return &Target{t, s}, nil
}

// checkName refuses names that FTP cannot transmit.
func checkName(name string) error {
	if err := ftp.CheckName(name); err != nil {
		return fmt.Errorf("%w: %w", target.ErrUnsupported, err)
	}
	return nil
}

// Finished implements target.Looker. It ignores what the server does not tell or cannot set.
func (t *Target) Finished(there, e *entry.Entry) bool {
	s := t.server
	if there.Mode != 0 && there.Mode != s.options.Chmod.Of(e)&^target.SetIDs && !s.NoModes() {
		return false
	}
	return e.Type != entry.Directory || !e.HasModTime() || there.ModTime.Seconds == e.ModTime.Seconds ||
		!s.ExactDirectories() || s.noDirectoryTimes.Load()
}

// server implements distant.Server.
type server struct {
	*ftp.Server
	options Options

	noModes, noTimes, noSetIDs sync.Once
	checkedModes               atomic.Bool // of a file that was kept
	noDirectoryTimes           atomic.Bool
}

// Do implements distant.Server.
func (s *server) Do(ctx context.Context, act, path string, f func(distant.Conn) error) error {
	return s.Server.Do(ctx, act, path, func(c *ftp.Conn) error {
		err := f(conn{c, s})
		if errors.Is(err, target.ErrNotEmpty) || errors.Is(err, target.ErrPath) {
			return ftp.Finding(err)
		}
		return err
	})
}

// Create implements distant.Server.
func (s *server) Create(ctx context.Context, path string, e *entry.Entry) (distant.Upload, error) {
	w, err := s.Server.Create(ctx, path)
	return &upload{Writer: w, server: s, entry: e, path: path}, err
}

// upload implements distant.Upload.
type upload struct {
	*ftp.Writer
	server *server
	entry  *entry.Entry
	path   string
	at     int64
}

// WriteAt writes the next bytes. Gaps in a sparse file become zeros.
func (u *upload) WriteAt(p []byte, offset int64) (int, error) {
	if offset < u.at {
		return 0, fmt.Errorf("write %s at %d: %d bytes are written, and FTP files are written in order", u.entry.Path, offset, u.at)
	}
	if err := u.pad(offset); err != nil {
		return 0, err
	}
	n, err := u.Write(p)
	u.at += int64(n)
	return n, err
}

var zeros [64 << 10]byte

// pad writes zeros up to an offset.
func (u *upload) pad(to int64) error {
	for u.at < to {
		n, err := u.Write(zeros[:min(int64(len(zeros)), to-u.at)])
		u.at += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// Close waits until the server has the whole file, and sets permissions and time.
func (u *upload) Close(ctx context.Context) error {
	if err := u.pad(u.entry.Size); err != nil {
		return err
	}
	if err := u.Writer.Close(); err != nil {
		return err
	}
	return u.server.Server.Do(ctx, "commit", "/"+u.entry.Path, func(c *ftp.Conn) error { return u.server.dress(c, u.path, u.entry) })
}

// Open implements distant.Server. The transfer begins with the first ReadAt.
func (s *server) Open(ctx context.Context, path string, _ *entry.Entry) (target.ReadAtCloser, error) {
	return &content{server: s.Server, ctx: ctx, path: path}, nil
}

// content is a file opened for comparison.
type content struct {
	server *ftp.Server
	ctx    context.Context
	path   string
	reader *ftp.Reader
}

// ReadAt implements io.ReaderAt. Another offset than the next begins a new transfer.
func (c *content) ReadAt(p []byte, offset int64) (int, error) {
	if c.reader == nil || c.reader.Offset() != offset {
		if err := c.Close(); err != nil {
			return 0, err
		}
		r, err := c.server.Open(c.ctx, c.path, offset)
		if err != nil {
			return 0, fmt.Errorf("at %d: %w", offset, err)
		}
		c.reader = r
	}
	n, err := io.ReadFull(c.reader, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// Close ends the transfer.
func (c *content) Close() error {
	if c.reader == nil {
		return nil
	}
	err := c.reader.Close()
	c.reader = nil
	return err
}

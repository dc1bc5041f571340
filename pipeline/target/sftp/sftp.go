// Package sftp is the target that is a directory on an SFTP server. A file grows under a temporary
// name beside its own, is written through to the server's disk (fsync@openssh.com) and renamed in
// one step (posix-rename@openssh.com). Permissions, owners by number, times to the second and
// symbolic links come back. Before anything is written to a directory, each directory above it is
// looked at, so that no symbolic link leads outside; the protocol has no way to exclude that
// someone on the server puts one there at that moment.
package sftp

import (
	"context"
	"fmt"
	"path"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/distant"
)

// Options say how to write. The zero value writes to the directory in which a login begins.
type Options struct {
	// Path is the root; without a leading slash it is below the directory in which a login begins.
	// It is made if need be.
	Path string
	// NoOwner leaves owners as they come. Owner, by the server's numbers, replaces the entries'
	// own.
	NoOwner bool
	Owner   target.Owner
	// Chmod changes the entries' modes.
	Chmod target.Chmod
	// NoSync leaves it to the server when files are written to its disk: faster, and a power cut
	// may take what was restored last.
	NoSync bool
	// ReadOnly refuses to write, and leaves what a killed run has left: for a plan.
	ReadOnly bool
	// Warn takes what could not be brought back of an entry that is there otherwise: its owner, its
	// time. It is called from several goroutines at once.
	Warn func(path string, err error)
}

// Target is a directory on a server. It implements target.Looker.
type Target struct {
	*distant.Target
	options Options
}

var _ target.Looker = (*Target)(nil)

// New returns the target; Close closes to.
func New(to *sftp.Server, options Options) (*Target, error) {
	if options.Warn == nil {
		options.Warn = func(string, error) {}
	}
	t, err := distant.New(distant.Protocol{
		Name: "SFTP", Symlinks: true, Transfers: to.Transfers, Listers: func() int { return 16 },
		IsBroken: sftp.IsBroken, CheckName: func(string) error { return nil },
	}, &server{Server: to, options: options, known: map[string]bool{}}, distant.Options{Path: options.Path, Chmod: options.Chmod, ReadOnly: options.ReadOnly})
	if err != nil {
		return nil, err
	}
	return &Target{t, options}, nil
}

// Finished implements target.Looker: all that can be set is told by listings, and links are made
// with theirs.
func (t *Target) Finished(there, e *entry.Entry) bool {
	if e.Type != entry.File && e.Type != entry.Directory {
		return true
	}
	uid, gid, set := t.options.owner(e)
	if set && (uid != there.UID || gid != there.GID) {
		return false
	}
	return t.options.Chmod.Of(e) == there.Mode && (!e.HasModTime() || !representable(e) || e.ModTime.Seconds == there.ModTime.Seconds)
}

// server implements distant.Server.
type server struct {
	*sftp.Server
	options Options

	mu    sync.Mutex
	known map[string]bool // absolute paths of directories, no links to any
}

// Do implements distant.Server.
func (s *server) Do(ctx context.Context, act, path string, f func(distant.Conn) error) error {
	return s.explain(ctx, s.Server.Do(ctx, act, path, func(c *sftp.Conn) error { return f(conn{c, s, ctx}) }))
}

// explain finds out whether the disk is full: OpenSSH has no word for that.
func (s *server) explain(ctx context.Context, err error) error {
	if sftp.IsFailure(err) && s.isFull(ctx) {
		return fmt.Errorf("%w: %w", target.ErrFull, err)
	}
	return err
}

// isFull tells whether the file system has less room than a block or file takes.
func (s *server) isFull(ctx context.Context) bool {
	var bytes, files uint64
	err := s.Server.Do(ctx, "look at", s.options.Path, func(c *sftp.Conn) (err error) {
		bytes, files, err = c.Free(ctx, path.Clean(s.options.Path))
		return err
	})
	return err == nil && (bytes < 256<<10 || files == 0)
}

// Create implements distant.Server.
func (s *server) Create(ctx context.Context, path string, e *entry.Entry) (distant.Upload, error) {
	return &upload{s.Server.Create(ctx, path), s, e, ctx}, nil
}

// upload implements distant.Upload.
type upload struct {
	*sftp.Writer
	server *server
	entry  *entry.Entry
	ctx    context.Context
}

// WriteAt writes the next bytes.
func (u *upload) WriteAt(p []byte, offset int64) (int, error) {
	n, err := u.Writer.WriteAt(p, offset)
	return n, u.server.explain(u.ctx, err)
}

// Close gives the file its size and metadata with the last of its bytes.
func (u *upload) Close(context.Context) error {
	o := &u.server.options
	changes, what := o.changes(u.entry)
	refused, err := u.Writer.Close(u.entry.Size, !o.NoSync, changes...)
	if err == nil {
		o.warn(u.entry, what, refused)
	}
	return u.server.explain(u.ctx, err)
}

// Open implements distant.Server.
func (s *server) Open(ctx context.Context, path string, is *entry.Entry) (target.ReadAtCloser, error) {
	r, err := s.Server.Open(ctx, path, sftp.Attributes{Size: uint64(is.Size), Modify: uint32(is.ModTime.Seconds)})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return r, nil
}

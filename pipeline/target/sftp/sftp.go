// Package sftp is the target for a directory on an SFTP server. A file is written under a temporary
// name in the same directory, flushed to the server's disk (fsync@openssh.com) and renamed
// atomically (posix-rename@openssh.com). Permissions, owners by number, times to the second and
// symbolic links are restored; set-uid and set-gid bits only of what has its owner and group. Before it writes to a directory, it checks each directory above, so
// that no symbolic link leads outside. The protocol cannot prevent somebody on the server from
// creating a link at that very moment.
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

// Options determine how to write. The zero value writes to the directory in which a login begins.
type Options struct {
	// Path is the root, which is made if necessary. Without a leading slash it is relative to the
	// directory in which a login begins.
	Path string
	// NoOwner does not set owners. Owner, with numbers of the server, replaces the entries' owners.
	NoOwner bool
	Owner   target.Owner
	// Chmod changes the entries' modes.
	Chmod target.Chmod
	// NoSync lets the server decide when to write files to disk. That is faster, but a power
	// failure may destroy what was restored last.
	NoSync bool
	// ReadOnly refuses to write, and keeps leftovers of killed runs. It is for plans.
	ReadOnly bool
	// Warn is called with metadata of a restored entry, such as owner or time, that could not be
	// set. It must be safe for concurrent use.
	Warn func(path string, err error)
}

// Target is a directory on a server. It implements target.Looker.
type Target struct {
	*distant.Target
	options Options
}

var _ target.Looker = (*Target)(nil)

// New returns the target. Its Close closes to.
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

// Finished implements target.Looker. Listings show everything that can be set, and links are made
// with their metadata.
func (t *Target) Finished(there, e *entry.Entry) bool {
	if e.Type != entry.File && e.Type != entry.Directory {
		return true
	}
	uid, gid, set := t.options.owner(e)
	mode, owned := t.options.Chmod.Of(e), uid == there.UID && gid == there.GID
	if set && !owned {
		return false
	}
	if !owned {
		mode &^= target.SetIDs
	}
	return mode == there.Mode && (!e.HasModTime() || !representable(e) || e.ModTime.Seconds == there.ModTime.Seconds)
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

// explain checks whether the disk is full: OpenSSH has no code for that.
func (s *server) explain(ctx context.Context, err error) error {
	if sftp.IsFailure(err) && s.isFull(ctx) {
		return fmt.Errorf("%w: %w", target.ErrFull, err)
	}
	return err
}

// isFull reports whether the file system has no room for another block or file.
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

// Close sets size and metadata of the file, together with its last bytes.
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

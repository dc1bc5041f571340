// Package distant is the common part of targets that are directories on servers, whatever the
// protocol. A file is written under a temporary name in the same directory, and renamed when the
// server has all of it. The next walk removes temporary files of killed runs. What a protocol can
// set besides names and contents, and what it can find out, is up to the protocol.
package distant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/target"
)

// Protocol describes a protocol.
type Protocol struct {
	Name     string // in messages
	Symlinks bool   // it has them
	// Transfers returns how many files are worth writing at once, Listers how many directories are
	// worth listing at once.
	Transfers, Listers func() int
	// IsBroken reports whether an error means that a connection can no longer be used. The function
	// that Do calls must return such an error, and is called again.
	IsBroken func(err error) bool
	// CheckName fails with target.ErrUnsupported for names that the protocol cannot transmit.
	CheckName func(name string) error
}

// Server is a server, accessed with some protocol. Its errors are those of packages remote and
// target. It is safe for concurrent use.
type Server interface {
	// Do calls f with a connection, and again with another one while connections break. act and
	// path describe the operation in errors.
	Do(ctx context.Context, act, path string, f func(Conn) error) error
	// Create begins to write the file e at an absolute path. ctx governs all writing.
	Create(ctx context.Context, path string, e *entry.Entry) (Upload, error)
	// Open opens the file at an absolute path, which Look has described as is. Reading from start
	// to end is fastest. ctx governs all reading.
	Open(ctx context.Context, path string, is *entry.Entry) (target.ReadAtCloser, error)
	// Close ends the connections.
	Close() error
}

// Conn is a connection, valid for one call of the function given to Do, and until Do's context
// ends. Paths are absolute. It is not safe for concurrent use.
type Conn interface {
	// Home returns the directory in which a login begins.
	Home() (string, error)
	// CheckWay fails with target.ErrPath if something between the root and path is not a directory,
	// as far as the protocol can see that. below is the part of path below the root.
	CheckWay(path, below string) error
	// List lists a directory. Paths in the listing are names.
	List(dir string) (walk.Listing, error)
	// ReadLink returns the target of a link if the listing lacks it; empty if it cannot be found
	// out.
	ReadLink(path string) (string, error)
	// Look returns the entry at a path, without its name; of a file at least type and size. It
	// fails with fs.ErrNotExist if there is none.
	Look(path string) (entry.Entry, error)
	// IsDirectory reports whether a path is a directory, or with follow also a link to one. A
	// protocol that does not see links always follows them.
	IsDirectory(path string, follow bool) (bool, error)
	// MakeDirectory makes a directory. made reports whether it has the mode. An existing directory
	// is kept; anything else in the way is fs.ErrExist.
	MakeDirectory(path string, mode uint32) (made bool, err error)
	// MakeLink makes the symbolic link e, with its metadata.
	MakeLink(path string, e *entry.Entry) error
	// Chmod sets the permissions of a path, and follows links.
	Chmod(path string, mode uint32) error
	// Finish sets the metadata of e on the directory or file at path. What cannot be set is no
	// error.
	Finish(path string, e *entry.Entry) error
	// Put renames from to to. It replaces an existing file, but not a directory.
	Put(from, to string) error
	// Remove removes a file or link, or an empty directory; it fails with target.ErrNotEmpty if
	// that is not empty. It fails with fs.ErrNotExist if nothing is there, and with
	// fs.ErrPermission if the directory above, or the server without a better reason, forbids it.
	Remove(path string, directory bool) error
}

// Upload is a file that is written from start to end. It is not safe for concurrent use.
type Upload interface {
	io.WriterAt
	// Close waits until the server has everything, with zeros up to the entry's size, and sets the
	// entry's metadata. What cannot be set is no error.
	Close(ctx context.Context) error
	// Started reports whether the server may have a part of the file.
	Started() bool
	// Abort ends the writing. What the server has of the file remains. After Close it does nothing.
	Abort()
}

// Options determine how to write. The zero value writes to the directory in which a login begins.
type Options struct {
	// Path is the root, which is made if necessary. Without a leading slash it is relative to the
	// directory in which a login begins.
	Path string
	// Chmod changes the entries' modes.
	Chmod target.Chmod
	// ReadOnly refuses to write, and keeps leftovers of killed runs. It is for plans.
	ReadOnly bool
	// Warn is called with metadata of a restored entry, such as its time, that could not be set.
	// What the server can set for no entry at all may be reported once, with an empty path. It must
	// be safe for concurrent use.
	Warn func(path string, err error)
}

// Target is a directory on a server. It implements target.Target.
type Target struct {
	protocol Protocol
	server   Server
	options  Options
	names    *target.Temporaries

	mu   sync.Mutex
	made bool   // the root is there
	root string // absolute, once it is known
}

var _ target.Target = (*Target)(nil)

// New returns the target. Its Close closes server.
func New(protocol Protocol, server Server, options Options) (*Target, error) {
	for name := range strings.SplitSeq(options.Path, "/") {
		if name == ".." {
			return nil, fmt.Errorf("%s: path %q leads upwards", strings.ToLower(protocol.Name), options.Path)
		}
	}
	if err := protocol.CheckName(options.Path); err != nil {
		return nil, err
	}
	return &Target{protocol: protocol, server: server, options: options, names: target.NewTemporaries()}, nil
}

// Traits implements target.Target. Files are written from start to end.
func (t *Target) Traits() target.Traits {
	return target.Traits{Sequential: true, Parallel: t.protocol.Transfers(), Precision: time.Second}
}

// Close ends the connections. What was committed is as durable as the server has confirmed.
func (t *Target) Close(ctx context.Context) error { return errors.Join(t.server.Close(), ctx.Err()) }

// check refuses a path that is not below the root, or that the protocol cannot transmit.
func (t *Target) check(below string) error {
	return cmp.Or(target.CheckPath(below), t.protocol.CheckName(below))
}

// do calls f with a connection and the absolute path of an entry.
func (t *Target) do(ctx context.Context, act, below string, f func(c Conn, file string) error) error {
	if err := t.check(below); err != nil {
		return err
	}
	return target.FromRemote(t.server.Do(ctx, act, "/"+below, func(c Conn) error {
		root, err := t.rootOf(c)
		if err != nil {
			return err
		}
		return f(c, join(root, below))
	}))
}

// change is do for operations that write. It first makes the root, and checks that no link leads
// elsewhere.
func (t *Target) change(ctx context.Context, act, below string, f func(c Conn, file string) error) error {
	if t.options.ReadOnly {
		return fmt.Errorf("%s %s: the target was opened to read only: %w", act, below, fs.ErrPermission)
	}
	return t.do(ctx, act, below, func(c Conn, file string) error {
		if err := t.makeRoot(c); err != nil {
			return err
		}
		if err := c.CheckWay(file, below); err != nil {
			return err
		}
		return f(c, file)
	})
}

// makeRoot makes the root if it is not there.
func (t *Target) makeRoot(c Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made {
		return nil
	}
	err := makeAll(c, t.root)
	t.made = err == nil
	return err
}

// makeAll makes a directory and those above it.
func makeAll(c Conn, dir string) error {
	if is, err := c.IsDirectory(dir, true); is || err != nil || dir == "/" {
		return err
	}
	if err := makeAll(c, path.Dir(dir)); err != nil {
		return err
	}
	_, err := c.MakeDirectory(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is not a directory: %w", dir, target.ErrPath)
	}
	return err
}

// rootOf returns the absolute path of the root.
func (t *Target) rootOf(c Conn) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.root != "":
	case strings.HasPrefix(t.options.Path, "/"):
		t.root = path.Clean(t.options.Path)
	default:
		home, err := c.Home()
		if err != nil {
			return "", err
		}
		t.root = path.Clean(join(home, t.options.Path))
	}
	return t.root, nil
}

// join returns the absolute path of what is below a directory.
func join(dir, below string) string {
	if below == "" {
		return dir
	}
	return strings.TrimSuffix(dir, "/") + "/" + below
}

// temporary returns a name beside a file.
func (t *Target) temporary(file string) string { return join(path.Dir(file), t.names.Next()) }

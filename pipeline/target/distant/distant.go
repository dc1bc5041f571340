// Package distant is what the targets that are directories on servers have in common, whatever the
// protocol. A file grows under a temporary name beside its own and gets that when the server has
// all of it. What a run that was killed has left under such names, the next walk removes. What a
// protocol can set besides names and contents, and what it can find out, is its own.
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

// Protocol is what is to be known of a protocol.
type Protocol struct {
	Name     string // in messages
	Symlinks bool   // it has them
	// Transfers is how many files are worth writing at once, Listers how many directories are worth
	// listing.
	Transfers, Listers func() int
	// IsBroken tells whether an error is of a connection that is of no more use: what Do calls is
	// to return it, and is called again.
	IsBroken func(err error) bool
	// CheckName refuses what the protocol cannot say, with target.ErrUnsupported.
	CheckName func(name string) error
}

// Server is a server, as a protocol has it. Its errors are those of packages remote and target.
// Safe for concurrent use.
type Server interface {
	// Do calls f with a connection, and again with another one while connections break. act and
	// path say in errors what was done.
	Do(ctx context.Context, act, path string, f func(Conn) error) error
	// Create begins to write the file e at an absolute path. ctx is for all of the writing.
	Create(ctx context.Context, path string, e *entry.Entry) (Upload, error)
	// Open opens a file at an absolute path, of which Look has said what it is. It is read best
	// from start to end. ctx is for all of the reading.
	Open(ctx context.Context, path string, is *entry.Entry) (target.ReadAtCloser, error)
	// Close ends the connections.
	Close() error
}

// Conn is a connection for one call of what Do was given, and ends with Do's context. Paths are
// absolute. It is for one goroutine.
type Conn interface {
	// Home is the directory in which a login begins.
	Home() (string, error)
	// CheckWay refuses, with target.ErrPath, a path to which anything but directories leads from
	// the root, as far as the protocol can see that. The last part of the path is below, which is
	// below the root.
	CheckWay(path, below string) error
	// List lists a directory: paths are names there.
	List(dir string) (walk.Listing, error)
	// ReadLink tells where a link leads whose target a listing lacks; empty if that cannot be found
	// out.
	ReadLink(path string) (string, error)
	// Look tells what a path is, without its name: of a file, at least that and its size.
	// fs.ErrNotExist: nothing is there.
	Look(path string) (entry.Entry, error)
	// IsDirectory tells whether a path is a directory, also by way of a link if follow; a protocol
	// that sees no links follows them always.
	IsDirectory(path string, follow bool) (bool, error)
	// MakeDirectory makes a directory. made: it has the mode. One that is there is kept, and
	// anything else is fs.ErrExist.
	MakeDirectory(path string, mode uint32) (made bool, err error)
	// MakeLink makes the symbolic link e, with its metadata.
	MakeLink(path string, e *entry.Entry) error
	// Chmod sets permissions of what a path leads to.
	Chmod(path string, mode uint32) error
	// Finish gives a directory or file at path the metadata of e. What cannot be set is no error.
	Finish(path string, e *entry.Entry) error
	// Put gives what is at from the name to. What stands there is replaced, if it is no directory.
	Put(from, to string) error
	// Remove removes what is no directory, or a directory that is empty: else target.ErrNotEmpty.
	// fs.ErrNotExist: nothing is there. fs.ErrPermission: the directory that it is in, or the
	// server for no better reason, forbids it.
	Remove(path string, directory bool) error
}

// Upload is a file that is being written from start to end. It is for one goroutine.
type Upload interface {
	io.WriterAt
	// Close waits until the server has all, with zeros up to the entry's size, and gives it the
	// entry's metadata. What cannot be set is no error.
	Close(ctx context.Context) error
	// Started tells whether the server may have something of the file.
	Started() bool
	// Abort ends the writing; a no-op after Close. What the server has of the file stays.
	Abort()
}

// Options say how to write. The zero value writes to the directory in which a login begins.
type Options struct {
	// Path is the root; without a leading slash it is below the directory in which a login begins.
	// It is made if need be.
	Path string
	// Chmod changes the entries' modes.
	Chmod target.Chmod
	// ReadOnly refuses to write, and leaves what a killed run has left: for a plan.
	ReadOnly bool
	// Warn takes what could not be brought back of an entry that is there otherwise, such as its
	// time. What the server can do for no entry at all may be told once, with an empty path. It is
	// called from several goroutines at once.
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

// New returns the target; Close closes server.
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

// Traits: files are written from start to end.
func (t *Target) Traits() target.Traits {
	return target.Traits{Sequential: true, Parallel: t.protocol.Transfers(), Precision: time.Second}
}

// Close ends the connections. What was committed is as durable as the server has confirmed.
func (t *Target) Close(ctx context.Context) error { return errors.Join(t.server.Close(), ctx.Err()) }

// check refuses a path that is not one below the root, or cannot be said.
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

// change is do for what writes: the root is made before, and nothing may lead elsewhere.
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

// rootOf finds out where the root is.
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

// join is the absolute path of what is below a directory.
func join(dir, below string) string {
	if below == "" {
		return dir
	}
	return strings.TrimSuffix(dir, "/") + "/" + below
}

// temporary is a name beside a file.
func (t *Target) temporary(file string) string { return join(path.Dir(file), t.names.Next()) }

// Package sftp is the target that is a directory on an SFTP server. A file grows under a temporary name beside its own, is written through to the
// server's disk (fsync@openssh.com) and renamed in one step (posix-rename@openssh.com). Permissions, owners by number, times to the second
// and symbolic links come back. Before anything is written to a directory, each directory above it is looked at, so that no symbolic
// link leads outside; the protocol has no way to exclude that someone on the server puts one there at that moment.
package sftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/target"
)

// Options say how to write. The zero value writes to the directory in which a login begins.
type Options struct {
	// Path is the root; without a leading slash it is below the directory in which a login begins. It is made if need be.
	Path string
	// NoOwner leaves owners as they come. Owner, by the server's numbers, replaces the entries' own.
	NoOwner bool
	Owner   target.Owner
	// Chmod changes the entries' modes.
	Chmod target.Chmod
	// NoSync leaves it to the server when files are written to its disk: faster, and a power cut may take what was restored last.
	NoSync bool
	// ReadOnly refuses to write, and leaves what a killed run has left: for a plan.
	ReadOnly bool
	// Warn takes what could not be brought back of an entry that is there otherwise: its owner, its time. It is called from
	// several goroutines at once.
	Warn func(path string, err error)
}

// Target is a directory on a server. It implements target.Target.
type Target struct {
	server  *sftp.Server
	options Options
	names   *target.Temporaries

	mu    sync.Mutex
	made  bool            // the root is there
	root  string          // absolute, once it is known
	known map[string]bool // entries that are directories, not links to any
}

var _ target.Target = (*Target)(nil)

// New returns the target; Close closes server.
func New(server *sftp.Server, options Options) (*Target, error) {
	for name := range strings.SplitSeq(options.Path, "/") {
		if name == ".." {
			return nil, fmt.Errorf("sftp: path %q leads upwards", options.Path)
		}
	}
	if options.Warn == nil {
		options.Warn = func(string, error) {}
	}
	return &Target{server: server, options: options, names: target.NewTemporaries(), known: map[string]bool{}}, nil
}

// Traits: files are written from start to end.
func (t *Target) Traits() target.Traits {
	return target.Traits{Sequential: true, Parallel: t.server.Transfers(), Precision: time.Second}
}

// Close ends the connections. What was committed is durable unless the options say otherwise.
func (t *Target) Close(ctx context.Context) error { return errors.Join(t.server.Close(), ctx.Err()) }

// do calls f with a connection and the absolute path of an entry.
func (t *Target) do(ctx context.Context, act, below string, f func(c *sftp.Conn, file string) error) error {
	if err := target.CheckPath(below); err != nil {
		return err
	}
	return t.translate(ctx, t.server.Do(ctx, act, "/"+below, func(c *sftp.Conn) error {
		file, err := t.file(ctx, c, below)
		if err != nil {
			return err
		}
		return f(c, file)
	}))
}

// change is do for what writes: no link may be on the way.
func (t *Target) change(ctx context.Context, act, below string, f func(c *sftp.Conn, file string) error) error {
	if t.options.ReadOnly {
		return fmt.Errorf("%s %s: the target was opened to read only: %w", act, below, fs.ErrPermission)
	}
	return t.do(ctx, act, below, func(c *sftp.Conn, file string) error {
		if below != "" {
			if err := t.makeRoot(ctx, c); err != nil {
				return err
			}
			if err := t.checkAbove(ctx, c, path.Dir(below)); err != nil {
				return err
			}
		}
		return f(c, file)
	})
}

// makeRoot makes the root if it is not there.
func (t *Target) makeRoot(ctx context.Context, c *sftp.Conn) error {
	root, err := t.file(ctx, c, "")
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made {
		return nil
	}
	if err := makeAll(ctx, c, root); err != nil {
		return err
	}
	t.made = true
	return nil
}

func (t *Target) file(ctx context.Context, c *sftp.Conn, below string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root == "" {
		t.root = path.Clean(t.options.Path)
		if !strings.HasPrefix(t.options.Path, "/") {
			home, err := c.RealPath(ctx, ".")
			if err != nil {
				t.root = ""
				return "", err
			}
			t.root = path.Join(home, t.options.Path)
		}
	}
	if below == "" {
		return t.root, nil
	}
	return strings.TrimSuffix(t.root, "/") + "/" + below, nil
}

// maxKnown bounds what is remembered of directories.
const maxKnown = 1 << 16

// checkAbove makes sure that dir and those above it are directories and no links.
func (t *Target) checkAbove(ctx context.Context, c *sftp.Conn, dir string) error {
	if dir == "." || t.isKnown(dir) {
		return nil
	}
	if err := t.checkAbove(ctx, c, path.Dir(dir)); err != nil {
		return err
	}
	file, err := t.file(ctx, c, dir)
	if err != nil {
		return err
	}
	is, err := c.Lstat(ctx, file)
	if err != nil {
		return err
	}
	if !is.IsDirectory() {
		return fmt.Errorf("%s is no directory: %w", file, target.ErrPath)
	}
	t.note(dir)
	return nil
}

func (t *Target) isKnown(dir string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[dir]
}

func (t *Target) note(dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	t.known[dir] = true
}

// forget is called before a directory is removed.
func (t *Target) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.known)
}

// temporary is a name beside a file.
func (t *Target) temporary(file string) string {
	return strings.TrimSuffix(path.Dir(file), "/") + "/" + t.names.Next()
}

// translate wraps err in the sentinel of targets that it means. OpenSSH has no word for a full disk, so it is looked at.
func (t *Target) translate(ctx context.Context, err error) error {
	if sftp.IsFailure(err) && t.isFull(ctx) {
		return fmt.Errorf("%w: %w", target.ErrFull, err)
	}
	return target.FromRemote(err)
}

// isFull tells whether the file system has less room than a block or file takes.
func (t *Target) isFull(ctx context.Context) bool {
	var bytes, files uint64
	err := t.server.Do(ctx, "look at", t.options.Path, func(c *sftp.Conn) error {
		file, err := t.file(ctx, c, "")
		if err != nil {
			return err
		}
		bytes, files, err = c.Free(ctx, file)
		return err
	})
	return err == nil && (bytes < 256<<10 || files == 0)
}

// Link is not supported: the protocol does not tell afterwards that two names are one file.
func (t *Target) Link(_ context.Context, e *entry.Entry, existing string) error {
	return cmp.Or(target.CheckPath(e.Path), target.CheckPath(existing), fmt.Errorf("hard link %s over SFTP: %w", e.Path, target.ErrUnsupported))
}

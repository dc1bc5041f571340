// Package ftp is the target that is a directory on an FTP server. A file grows under a temporary name beside its own and gets that when the server
// has all of it, by its size. Times and permissions come back where the server has commands for them (MFMT, SITE UTIME, MDTM with a
// time; SITE CHMOD); owners and links never do. Symbolic links that are on the server already may lead it elsewhere: FTP has no way to see all of
// them, so the user should be kept below a directory by the server itself.
package ftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/target"
)

// Options say how to write. The zero value writes to the directory in which a login begins.
type Options struct {
	// Path is the root; without a leading slash it is below the directory in which a login begins. It is made if need be.
	Path string
	// Chmod changes the entries' modes.
	Chmod target.Chmod
	// ReadOnly refuses to write, and leaves what a killed run has left: for a plan.
	ReadOnly bool
	// Warn takes what could not be brought back of an entry that is there otherwise: its time, its permissions. What the server can do for
	// no entry at all is told once, with an empty path. It is called from several goroutines at once.
	Warn func(path string, err error)
}

// Target is a directory on a server. It implements target.Target.
type Target struct {
	server  *ftp.Server
	options Options
	names   *target.Temporaries

	noModes, noTimes sync.Once
	checkedModes     atomic.Bool // of a file that was kept
	noDirectoryTimes atomic.Bool

	mu   sync.Mutex
	made bool   // the root is there
	root string // absolute, once it is known
}

var _ target.Target = (*Target)(nil)

// New returns the target; Close closes server.
func New(server *ftp.Server, options Options) (*Target, error) {
	for name := range strings.SplitSeq(options.Path, "/") {
		if name == ".." {
			return nil, fmt.Errorf("ftp: path %q leads upwards", options.Path)
		}
	}
	if options.Warn == nil {
		options.Warn = func(string, error) {}
	}
	return &Target{server: server, options: options, names: target.NewTemporaries()}, nil
}

// Traits: files are written from start to end, each over a connection of its own.
func (t *Target) Traits() target.Traits {
	return target.Traits{Sequential: true, Parallel: t.server.Connections(), Precision: time.Second}
}

// Close ends the connections. What was committed is what the server has confirmed; FTP has no way to ask for more.
func (t *Target) Close(ctx context.Context) error { return errors.Join(t.server.Close(), ctx.Err()) }

// do calls f with a connection and the absolute path of an entry.
func (t *Target) do(ctx context.Context, act, below string, f func(c *ftp.Conn, file string) error) error {
	if err := cmp.Or(target.CheckPath(below), translate(ftp.CheckName(below))); err != nil {
		return err
	}
	return translate(t.server.Do(ctx, act, "/"+below, func(c *ftp.Conn) error { return f(c, ftp.Join(t.rootOf(c), below)) }))
}

// change is do for what writes.
func (t *Target) change(ctx context.Context, act, below string, f func(c *ftp.Conn, file string) error) error {
	if err := target.CheckPath(below); err != nil {
		return err
	}
	if t.options.ReadOnly {
		return fmt.Errorf("%s %s: the target was opened to read only: %w", act, below, fs.ErrPermission)
	}
	return t.do(ctx, act, below, func(c *ftp.Conn, file string) error {
		if err := t.makeRoot(c); err != nil {
			return err
		}
		return f(c, file)
	})
}

// makeRoot makes the root if it is not there.
func (t *Target) makeRoot(c *ftp.Conn) error {
	root := t.rootOf(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made {
		return nil
	}
	if err := makeAll(c, root); err != nil {
		return err
	}
	t.made = true
	return nil
}

func (t *Target) rootOf(c *ftp.Conn) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root == "" {
		t.root = path.Clean(t.options.Path)
		if !strings.HasPrefix(t.options.Path, "/") {
			t.root = path.Clean(ftp.Join(c.Home(), t.options.Path))
		}
	}
	return t.root
}

// temporary is a name beside a file.
func (t *Target) temporary(file string) string { return ftp.Join(path.Dir(file), t.names.Next()) }

// translate wraps err in the sentinel of targets that it means.
func translate(err error) error {
	if errors.Is(err, ftp.ErrName) {
		return fmt.Errorf("%w: %w", target.ErrUnsupported, err)
	}
	return target.FromRemote(err)
}

// Link is not supported: FTP has no hard links.
func (t *Target) Link(_ context.Context, e *entry.Entry, existing string) error {
	return cmp.Or(target.CheckPath(e.Path), target.CheckPath(existing), fmt.Errorf("hard link %s over FTP: %w", e.Path, target.ErrUnsupported))
}

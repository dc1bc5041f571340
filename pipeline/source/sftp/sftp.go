// Package sftp is the source for a directory on an SFTP server: times to the second, permissions,
// owners by number, symbolic links. The protocol has no hard links, extended attributes or numbers
// of device nodes. Its times have 32 bits: those before 1970 or after 2106 look like other times.
package sftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/distant"
)

// Options determine what to back up.
type Options = distant.Options

// Source is a directory on a server. It implements source.Distant and source.Advising.
type Source struct {
	*distant.Source
	directory *directory
}

var _ source.Advising = (*Source)(nil)

// New returns the source. Its Close closes server, which also ends running Opens.
func New(server *sftp.Server, options Options) (*Source, error) {
	d := &directory{Server: server, path: options.Path}
	s, err := distant.New(d, options)
	if err != nil {
		return nil, err
	}
	return &Source{s, d}, nil
}

// Advice implements source.Advising. It says how many times may differ from those on the server.
func (s *Source) Advice() []string {
	n := s.directory.strange.Load()
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s with a time after 2038-01-19: SFTP has 32 bits for a time, so a time before 1970 looks like that", s.directory.Host(), entry.Plural(n, "entry"))}
}

// directory implements distant.Directory.
type directory struct {
	*sftp.Server
	path    string
	strange atomic.Int64           // entries whose times may be other ones
	root    atomic.Pointer[string] // absolute, once the server has told
}

// Readers returns the largest number of transfers.
func (d *directory) Readers() int { return d.Transfers() }

// Listers returns the same number: a run that continues an interrupted one waits mostly for
// listings.
func (d *directory) Listers() int { return d.Transfers() }

// file returns the absolute path of an entry.
func (d *directory) file(ctx context.Context, below string) (string, error) {
	root, err := d.find(ctx)
	if err != nil || below == "" {
		return root, err
	}
	return strings.TrimSuffix(root, "/") + "/" + below, nil
}

// find returns the absolute path of the directory. It asks the server until that has answered once.
func (d *directory) find(ctx context.Context) (string, error) {
	if strings.HasPrefix(d.path, "/") {
		return path.Clean(d.path), nil
	}
	if known := d.root.Load(); known != nil {
		return *known, nil
	}
	var root string
	err := d.Do(ctx, "find", cmp.Or(d.path, "."), func(c *sftp.Conn) (err error) {
		root, err = c.RealPath(ctx, cmp.Or(d.path, "."))
		return err
	})
	if err != nil {
		return "", err
	}
	d.root.Store(&root)
	return root, nil
}

// on calls f with a connection and the absolute path of an entry.
func (d *directory) on(ctx context.Context, act, below string, f func(c *sftp.Conn, file string) error) error {
	file, err := d.file(ctx, below)
	if err != nil {
		return err
	}
	return d.Do(ctx, act, file, func(c *sftp.Conn) error { return f(c, file) })
}

// Root implements distant.Directory.
func (d *directory) Root(ctx context.Context) (*entry.Entry, error) {
	e := &entry.Entry{}
	return e, d.on(ctx, "look at", "", func(c *sftp.Conn, file string) error {
		is, err := c.Stat(ctx, file)
		is.Describe(e)
		return err
	})
}

// List implements distant.Directory.
func (d *directory) List(ctx context.Context, dir string) ([]distant.Found, []error, error) {
	var named []sftp.Named
	err := d.on(ctx, "list", dir, func(c *sftp.Conn, file string) (err error) {
		named, err = c.ReadDir(ctx, file)
		return err
	})
	found := make([]distant.Found, len(named))
	for i := range named {
		f := &found[i]
		f.Entry.Path, f.Precision = named[i].Name, time.Second
		named[i].Describe(&f.Entry)
		if f.Entry.ModTime.Seconds > math.MaxInt32 {
			d.strange.Add(1)
		}
		switch f.Entry.Type {
		case 0:
			f.Lacking = errors.New("the server does not tell whether it is a file")
		case entry.CharDevice, entry.BlockDevice:
			f.Lacking = errors.New("it is a device, and SFTP does not tell which")
		}
	}
	return found, nil, err
}

// Detail reads the target of a link.
func (d *directory) Detail(ctx context.Context, e *entry.Entry) error {
	if e.Type != entry.Symlink {
		return nil
	}
	return d.on(ctx, "read link", e.Path, func(c *sftp.Conn, file string) (err error) {
		e.Target, err = c.ReadLink(ctx, file)
		return err
	})
}

// Open implements distant.Directory.
func (d *directory) Open(ctx context.Context, e *entry.Entry) (distant.Content, error) {
	file, err := d.file(ctx, e.Path)
	if err != nil {
		return nil, err
	}
	r, err := d.Server.Open(ctx, file, sftp.Attributes{Size: uint64(e.Size), Modify: uint32(e.ModTime.Seconds)})
	if err != nil {
		return nil, err
	}
	if !r.Begun().IsFile() {
		r.Close()
		return nil, fmt.Errorf("%s on %s is no longer a regular file: %w", file, d.Host(), source.ErrVanished)
	}
	return &content{r}, nil
}

// content implements distant.Content.
type content struct{ *sftp.Reader }

// Began implements distant.Content.
func (c *content) Began(e *entry.Entry) { c.Begun().Describe(e) }

// Check implements distant.Content.
func (c *content) Check(_ context.Context, e *entry.Entry, later bool) (same bool, err error) {
	if same = c.Same(); !same || !later {
		return same, nil
	}
	now, err := c.Look()
	return now.Size == c.Begun().Size && now.Modify == c.Begun().Modify, err
}

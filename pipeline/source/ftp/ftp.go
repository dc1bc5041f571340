// Package ftp is the source for a directory on an FTP server. It lists and reads the directory in
// place, over as many connections as the server allows.
//
// What is known of files depends on the server. With MLSD there are times to the second (UTC),
// permissions, owners and the fact unique. Without it, files are listed with LIST and the time of
// each comes from MDTM. Without MDTM, times are those of LIST, to the minute or, for old files, to
// the day; within that precision only another size reveals a change. Symbolic links that the server
// shows as what they lead to are backed up as that. Broken ones, which some servers hide from MLSD,
// are not seen.
package ftp

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/source/distant"
)

// Options determine what to back up.
type Options = distant.Options

// Source is a directory on a server. It implements source.Distant.
type Source struct{ *distant.Source }

// New returns the source. Its Close closes those connections of server that no Open uses.
func New(server *ftp.Server, options Options) (*Source, error) {
	s, err := distant.New(&directory{server, options.Path}, options)
	if err != nil {
		return nil, err
	}
	return &Source{s}, nil
}

// directory implements distant.Directory.
type directory struct {
	*ftp.Server
	path string
}

// Readers returns the largest number of connections.
func (d *directory) Readers() int { return d.Connections() }

// Listers returns the same number. Listings share the connections with readers.
func (d *directory) Listers() int { return d.Connections() }

// file returns the absolute path of an entry.
func (d *directory) file(home func() string, below string) string {
	root := d.path
	if !strings.HasPrefix(root, "/") {
		root = ftp.Join(home(), root)
	}
	return ftp.Join(path.Clean(root), below)
}

// on calls f with a connection and the absolute path of an entry.
func (d *directory) on(ctx context.Context, act, below string, f func(c *ftp.Conn, file string) error) error {
	return d.Do(ctx, act, cmp.Or(below, d.path, "the directory of the login"), func(c *ftp.Conn) error { return f(c, d.file(c.Home, below)) })
}

// Root returns the facts of the root. Without MLST it is only known to be a directory.
func (d *directory) Root(ctx context.Context) (*entry.Entry, error) {
	facts := ftp.Entry{Kind: ftp.Directory}
	err := d.on(ctx, "look at", "", func(c *ftp.Conn, file string) error {
		if !c.Features().MLST {
			return nil
		}
		found, err := c.Look(file)
		if err == nil && found.Kind == ftp.Directory {
			facts = found
		}
		if ftp.IsBroken(err) {
			return err
		}
		return nil // the listing tells what is wrong
	})
	facts.Name = ""
	e := describe(&facts)
	return &e, err
}

// List implements distant.Directory.
func (d *directory) List(ctx context.Context, dir string) ([]distant.Found, []error, error) {
	var l ftp.Listing
	err := d.on(ctx, "list", dir, func(c *ftp.Conn, file string) (err error) {
		l, err = c.ListAll(file)
		return err
	})
	found := make([]distant.Found, len(l.Entries))
	for i := range l.Entries {
		f := &l.Entries[i]
		found[i] = distant.Found{Entry: describe(f), Key: f.Unique, Precision: f.Precision, Lacking: incomplete(f)}
	}
	return found, l.Problems, err
}

// incomplete returns an error if what FTP tells of a file is not enough to back it up.
func incomplete(f *ftp.Entry) error {
	switch {
	case f.Kind == ftp.Other:
		return errors.New("it is neither file nor directory nor link, and FTP does not tell what else")
	case f.Kind == ftp.Link && f.Target == "":
		return errors.New("the server does not tell where the link leads")
	}
	return nil
}

// usualModes are the modes that servers give to uploaded files, for servers that do not tell
// permissions.
var usualModes = map[ftp.Kind]uint32{ftp.File: 0o644, ftp.Directory: 0o755, ftp.Link: 0o777}

// describe returns an entry for what the server told.
func describe(f *ftp.Entry) entry.Entry {
	e := f.Describe()
	if !f.Modify.IsZero() {
		e.Known = entry.KnowsModTime
	}
	if !f.HasMode {
		e.Mode = usualModes[f.Kind]
	}
	if f.Kind == ftp.File {
		e.Identity = version(f)
	}
	return e
}

// version identifies this version of a file. Equal versions mean equal content, as far as the
// server can tell.
func version(f *ftp.Entry) string {
	var b strings.Builder
	b.WriteString("size=" + strconv.FormatInt(f.Size, 10))
	if !f.Modify.IsZero() {
		b.WriteString(";modify=" + f.Modify.UTC().Format("20060102150405.999999999"))
	}
	if f.Unique != "" {
		b.WriteString(";unique=" + f.Unique)
	}
	return b.String()
}

// Detail adds nothing: a listing contains everything.
func (d *directory) Detail(ctx context.Context, e *entry.Entry) error { return ctx.Err() }

// Open implements distant.Directory.
func (d *directory) Open(ctx context.Context, e *entry.Entry) (distant.Content, error) {
	file := d.file(d.Home, e.Path) // a listing has found e, so home is known
	r, err := d.Server.Open(ctx, file, 0)
	if err != nil {
		return nil, err
	}
	r.LookAfter()
	return &content{r, d, file}, nil
}

// content implements distant.Content.
type content struct {
	*ftp.Reader
	directory *directory
	path      string
}

// Began implements distant.Content. FTP tells nothing of a file when it is opened.
func (c *content) Began(*entry.Entry) {}

// Check compares with the present facts: the file must still be the version that was listed, and
// have as many bytes as were read.
func (c *content) Check(ctx context.Context, e *entry.Entry, later bool) (same bool, err error) {
	now, err := c.Facts()
	if later || ftp.IsBroken(err) || err == nil && now.Size != c.Offset() {
		err = c.directory.Do(ctx, "look at", c.path, func(conn *ftp.Conn) (err error) {
			now, err = c.look(conn)
			return err
		})
	}
	unknown := errors.Is(err, ftp.ErrUnsupported) // it knows nothing but listings
	switch {
	case unknown:
		now.Size = e.Size
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	read := c.Offset()
	same = now.Size == read && e.Size == read && (now.Modify.IsZero() || version(&now) == distant.Version(e.Identity))
	if same && (err == nil || unknown) {
		return true, nil
	}
	if !now.Modify.IsZero() {
		e.ModTime = entry.TimeOf(now.Modify)
	}
	e.Identity = version(&now)
	return false, nil
}

// look returns the present facts. If their size is not what was read, it may be that of a link:
// SIZE follows links.
func (c *content) look(conn *ftp.Conn) (ftp.Entry, error) {
	facts, err := conn.Look(c.path)
	if err != nil || facts.Size == c.Offset() || !conn.Features().MLST || !conn.Features().Size {
		return facts, err
	}
	size, err := conn.Size(c.path)
	if err == nil && size == c.Offset() {
		facts.Size = size
	}
	return facts, err
}

// Package ftp is the source of a directory on an FTP server. It is backed up where it is: listed by several connections at once, read over as
// many as the server bears, and what did not change by all that the server tells is not fetched.
//
// What is told depends on the server. With MLSD there are times to the second (UTC), permissions, owners and what MLSD calls unique.
// Without it, a listing is by LIST and the time of each file by MDTM. Without MDTM, times are those of LIST, to the minute or,
// for old files, to the day: then another size is what shows a change within that time. A file that changed shortly before it was
// listed may change again without a trace in its time, so it counts as changed in the next backup too. Symbolic links that the server shows as
// what they lead to are backed up as that; broken ones, which some servers hide from MLSD, are not seen.
package ftp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/walk"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
)

// Options say what to back up. The zero value is all that is in the directory in which a login begins.
type Options struct {
	// Path is the root; without a leading slash it is below the directory in which a login begins.
	Path string
	// Exclude are patterns of what to leave out, as exclude.Parse reads them.
	Exclude []string
	// AllowEmpty accepts a root with nothing in it; else that is source.ErrEmpty.
	AllowEmpty bool
	// Fresh is how old a file must be, by the server's clock, to be taken for finished (default: 10 min; it covers
	// a clock that is wrong by as much). Younger ones are looked at a second time after Settle (default: 3 s).
	Fresh, Settle time.Duration
	// Class is how content is cut (default: source.ClassMedium).
	Class source.Class
}

// Source is a directory on a server. It implements source.Source.
type Source struct {
	server  *ftp.Server
	options Options
	exclude *exclude.Patterns
}

var _ source.Source = (*Source)(nil)

// New returns the source; Close closes server.
func New(server *ftp.Server, options Options) (*Source, error) {
	for name := range strings.SplitSeq(options.Path, "/") {
		if name == ".." {
			return nil, fmt.Errorf("ftp: path %q leads upwards", options.Path)
		}
	}
	options.Fresh = cmp.Or(options.Fresh, 10*time.Minute)
	options.Settle = cmp.Or(options.Settle, 3*time.Second)
	options.Class = cmp.Or(options.Class, source.ClassMedium)
	leaveOut, err := exclude.Parse(options.Exclude, exclude.Top(options.Path))
	if err != nil {
		return nil, err
	}
	return &Source{server: server, options: options, exclude: leaveOut}, nil
}

// Excludes implements source.Excluding.
func (s *Source) Excludes() []string { return s.exclude.Lines() }

// Class is medium unless the options say otherwise.
func (s *Source) Class() source.Class { return s.options.Class }

// Close closes the connections that no Open uses.
func (s *Source) Close() error { return s.server.Close() }

// file is the absolute path of an entry.
func (s *Source) file(c *ftp.Conn, below string) string {
	root := s.options.Path
	if !strings.HasPrefix(root, "/") {
		root = ftp.Join(c.Home(), root)
	}
	return ftp.Join(path.Clean(root), below)
}

// absolute is file without a connection.
func (s *Source) absolute(ctx context.Context, below string) (string, error) {
	if strings.HasPrefix(s.options.Path, "/") {
		return ftp.Join(path.Clean(s.options.Path), below), nil
	}
	var file string
	err := s.server.Do(ctx, "find", s.options.Path, func(c *ftp.Conn) error {
		file = s.file(c, below)
		return nil
	})
	return file, source.FromRemote(err)
}

// Walk lists the tree. It returns an error where the server or the root cannot be listed, and source.ErrEmpty.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	root, err := s.examineRoot(ctx)
	if err != nil {
		return source.FromRemote(err)
	}
	return walk.Tree(ctx, walk.Options{
		Root: root, AllowEmpty: s.options.AllowEmpty, Parallel: s.server.Connections(), List: s.list, Visit: v.Visit, Problem: v.Problem,
		Translate: func(err error) error {
			if errors.Is(err, walk.ErrEmpty) {
				return fmt.Errorf("%s on %s: %w", cmp.Or(s.options.Path, "the directory of the login"), s.server.Host(), source.ErrEmpty)
			}
			return source.FromRemote(err)
		},
	})
}

// examineRoot asks for the facts of the root. Without MLST nothing is known of it but that it is a directory.
func (s *Source) examineRoot(ctx context.Context) (*entry.Entry, error) {
	facts := ftp.Entry{Kind: ftp.Directory}
	err := s.server.Do(ctx, "look at", cmp.Or(s.options.Path, "the directory of the login"), func(c *ftp.Conn) error {
		if !c.Features().MLST {
			return nil
		}
		found, err := c.Look(s.file(c, ""))
		if err == nil && found.Kind == ftp.Directory {
			facts = found
		}
		if ftp.IsBroken(err) {
			return err
		}
		return nil // the listing tells what is wrong
	})
	facts.Name = ""
	return s.entry("", &facts, time.Now()), err
}

func (s *Source) list(ctx context.Context, dir string) (walk.Listing, error) {
	var found ftp.Listing
	err := s.server.Do(ctx, "list", "/"+dir, func(c *ftp.Conn) (err error) {
		found, err = c.ListAll(s.file(c, dir))
		return err
	})
	if err != nil {
		return walk.Listing{}, err
	}
	now, excluded := time.Now(), s.exclude.In(dir)
	var l walk.Listing
	for _, err := range found.Problems {
		l.Problems = append(l.Problems, walk.Problem{Path: dir, Err: err})
	}
	for i := range found.Entries {
		f := &found.Entries[i]
		e := s.entry(dir, f, now)
		if excluded.Match(f.Name, e.Type == entry.Directory) {
			continue
		}
		if err := incomplete(f); err != nil {
			l.Problems = append(l.Problems, walk.Problem{Path: e.Path, Err: err})
			continue
		}
		l.Items = append(l.Items, walk.Item{Entry: e, Key: f.Unique})
	}
	return l, nil
}

// incomplete tells what cannot be backed up with what FTP tells of it.
func incomplete(f *ftp.Entry) error {
	switch {
	case f.Kind == ftp.Other:
		return errors.New("it is neither file nor directory nor link, and FTP does not tell what else")
	case f.Kind == ftp.Link && f.Target == "":
		return errors.New("the server does not tell where the link leads")
	}
	return nil
}

// usualModes are what servers give to what is uploaded: some do not tell permissions.
var usualModes = map[ftp.Kind]uint32{ftp.File: 0o644, ftp.Directory: 0o755, ftp.Link: 0o777}

// entry makes an entry of what a listing told at the time now.
func (s *Source) entry(dir string, f *ftp.Entry, now time.Time) *entry.Entry {
	e := &entry.Entry{Path: f.Name, Mode: f.Mode, UID: f.UID, GID: f.GID, User: f.User, Group: f.Group}
	if dir != "" {
		e.Path = dir + "/" + f.Name
	}
	if !f.Modify.IsZero() {
		e.ModTime, e.Known = entry.TimeOf(f.Modify), entry.KnowsModTime
	}
	if !f.HasMode {
		e.Mode = usualModes[f.Kind]
	}
	switch f.Kind {
	case ftp.File:
		e.Type, e.Size = entry.File, f.Size
		e.Identity = s.identity(f, now)
	case ftp.Directory:
		e.Type = entry.Directory
	case ftp.Link:
		e.Type, e.Target = entry.Symlink, f.Target
	case ftp.Socket:
		e.Type = entry.Socket
	}
	return e
}

// Detail adds nothing: a listing gives all.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error { return ctx.Err() }

package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/directory"
	ftptarget "github.com/packstone/packstone/pipeline/target/ftp"
	sftptarget "github.com/packstone/packstone/pipeline/target/sftp"
)

// TargetOptions determine how a restore writes.
type TargetOptions struct {
	ReadOnly   bool // look only: for a plan
	Owner      target.Owner
	Chmod      target.Chmod
	NumericIDs bool
	// Own are files and directories of packstone itself on this machine, with what each is. They
	// are neither changed nor removed.
	Own map[string]string
	// Warn is called with what was restored without all of its metadata, from several goroutines at
	// once.
	Warn func(path string, err error)
	// Remote is how to log in to file servers if the settings do not say.
	Remote RemoteLogin
	// Bucket is how to reach buckets if the settings do not say. Absent never replaces an object.
	// Times compares with the times that files had before they were put into a bucket.
	Bucket        BucketLogin
	Absent, Times bool
}

// OpenDirectory opens a directory of this machine to restore to. The first write makes it.
func OpenDirectory(root string, o TargetOptions) (target.Target, error) {
	return targetOf(directory.New(root, o.Directory()))
}

// Directory returns the options for a directory of this machine. Only root can set owners; for
// other users the files are their own, as after cp -r.
func (o TargetOptions) Directory() directory.Options {
	return directory.Options{
		Owner: o.Owner, Chmod: o.Chmod, NumericIDs: o.NumericIDs, NoOwner: os.Geteuid() != 0 && !o.Owner.Named(), ReadOnly: o.ReadOnly,
		Own: o.Own, Warn: o.Warn,
	}
}

// Target opens the directory on the server to restore to. Over SFTP owners are restored, by number,
// if root is logged in; over FTP never. It does not connect.
func (r Remote) Target(o TargetOptions) (target.Target, error) { return r.target(o.Remote, o) }

func (r Remote) target(login RemoteLogin, o TargetOptions) (target.Target, error) {
	if r.Scheme == "sftp" {
		server, err := r.sftpServer(login)
		if err != nil {
			return nil, err
		}
		return targetOf(sftptarget.New(server, sftptarget.Options{
			Path: r.Path, Owner: o.Owner, Chmod: o.Chmod, NoOwner: r.user(login) != "root", ReadOnly: o.ReadOnly, Warn: o.Warn,
		}))
	}
	if o.Owner.Named() {
		return nil, fmt.Errorf("%w: FTP cannot set owners: restored files belong to the user of the login", ErrInvalid)
	}
	server, err := r.ftpServer(login)
	if err != nil {
		return nil, err
	}
	return targetOf(ftptarget.New(server, ftptarget.Options{Path: r.Path, Chmod: o.Chmod, ReadOnly: o.ReadOnly, Warn: o.Warn}))
}

// targetOf prevents the nil pointer of a failed open from becoming a target that is not nil.
func targetOf[T target.Target](t T, err error) (target.Target, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Part is a part of a source, and its present place according to the settings.
type Part struct {
	Below string // a path in the source's tree; empty: all of it
	// Path is a directory or a file of this machine; if empty, open knows another place.
	Path string
	open func(ctx context.Context, o TargetOptions) (target.Target, error)
	// source returns what a backup reads of the part; nil means everything at Path.
	source func(ctx context.Context, o OpenOptions) (source.Source, error)
	// markers are names of files that exclude the content of their directories from a backup.
	markers []string
}

// Taken calls put, in order, with the paths in the source's tree of what a backup of the part would
// contain now. It leaves out what the backup excludes or cannot list, and the marker files. For a
// part that does not exist it calls put never.
func (p Part) Taken(ctx context.Context, o OpenOptions, put func(path string) error) error {
	s, err := p.Source(ctx, o)
	if err != nil {
		return err
	}
	err = s.Walk(ctx, taking{put, p.markers})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, source.ErrEmpty) {
		err = nil
	}
	return errors.Join(err, s.Close())
}

// Source opens what a backup reads of the part as it is now. It may be empty.
func (p Part) Source(ctx context.Context, o OpenOptions) (source.Source, error) {
	if p.source == nil {
		return p.byPath(ctx, o)
	}
	return p.source(ctx, o)
}

// byPath returns the source of what was backed up by path.
func (p Part) byPath(_ context.Context, o OpenOptions) (source.Source, error) {
	return sourceOf(files.New(files.Options{Roots: []string{p.Path}, Absolute: true, AllowEmpty: true, LeaveOut: o.LeaveOut, Parallel: o.Parallel}))
}

// taking is a visitor that passes on paths.
type taking struct {
	put     func(path string) error
	markers []string
}

// Visit implements source.Visitor.
func (t taking) Visit(e *entry.Entry) error {
	if slices.Contains(t.markers, path.Base(e.Path)) {
		return nil
	}
	return t.put(e.Path)
}

// Problem implements source.Visitor. It leaves out what cannot be listed.
func (t taking) Problem(string, error) {}

// Open opens the place for a restore. Its root is that of the part, not that of the source. file
// says that the part is one file, of which Open opens the directory.
func (p Part) Open(ctx context.Context, file bool, o TargetOptions) (target.Target, error) {
	switch {
	case p.open != nil:
		return p.open(ctx, o)
	case file:
		return OpenDirectory(filepath.Dir(p.Path), o)
	}
	return OpenDirectory(p.Path, o)
}

// placed is a type of source that can be restored to where it is.
type placed interface{ parts() []Part }

// PlaceOf returns where a source of a snapshot belongs now: at parts, or, if it is to become a
// database, at an address. What was backed up by path belongs to that path. It fails with
// catalog.ErrRefused if the settings do not say, or a source of another type has the name.
func (c *Config) PlaceOf(source *catalog.SourceState, isDatabase bool) (parts []Part, at *database.Location, err error) {
	if source.Name == catalog.AdHoc {
		for _, root := range source.Paths {
			parts = append(parts, Part{Below: strings.Trim(root, "/"), Path: root})
		}
		return parts, nil, nil
	}
	now, known := c.Sources[source.Name]
	switch {
	case !known:
		return nil, nil, catalog.Refuse("the settings have no source %s, which was at %s; add it to the settings, or restore it with --target",
			source.Name, source.Location)
	case now.Type != source.Type:
		return nil, nil, catalog.Refuse("%s is of type %s in the snapshot and of type %s in the settings: restore it with --target", source.Name, source.Type, now.Type)
	case isDatabase:
		location, err := c.databaseAt(source.Name)
		return nil, &location, err
	}
	p, ok := now.Settings.(placed)
	if !ok {
		return nil, nil, catalog.Misuse("%s: a part of a source of type %s has no place of its own; restore it with --target", source.Name, source.Type)
	}
	return p.parts(), nil, nil
}

func (f *Files) parts() []Part {
	now := *f
	now.AllowEmpty = true
	if f.Path != "" {
		return []Part{{Path: f.Path, source: now.open, markers: f.markers()}}
	}
	return []Part{{source: now.open, open: func(_ context.Context, o TargetOptions) (target.Target, error) {
		r, login, err := f.Server.remote(o.Remote)
		if err != nil {
			return nil, err
		}
		return r.target(login, o)
	}}}
}

// markers returns the names of files that mark what is left out.
func (f *Files) markers() []string {
	var names []string
	if f.ExcludeCaches {
		names = append(names, "CACHEDIR.TAG")
	}
	for _, marker := range f.ExcludeIfPresent {
		name, _, _ := strings.Cut(marker, ":")
		names = append(names, name)
	}
	return names
}

func (s *Components) parts() []Part {
	var all []Part
	for _, name := range slices.Sorted(maps.Keys(s.Components)) {
		now := *s
		now.Components, now.AllowEmpty = map[string]string{name: s.Components[name]}, true
		all = append(all, Part{Below: name, Path: s.Components[name], source: now.open})
	}
	return all
}

// databaseAt returns the address of a source that is a database.
func (c *Config) databaseAt(name string) (database.Location, error) {
	b, ok := c.Sources[name].Settings.(*Database)
	if !ok {
		return database.Location{}, fmt.Errorf("find source %s: %w: it is not a database in the settings", name, ErrInvalid)
	}
	return b.location()
}

// Package destination finds where the sources of a snapshot come back to, and opens it without
// writing anything: below a directory or on a server, where each has a folder of its name, to a
// command, or to where the settings file has each source now.
package destination

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
)

// Options say where what comes back goes, and what is written of it. One of Directory, Server,
// Command and InPlace is set.
type Options struct {
	Snapshot   string   // as somebody has named it
	Directory  string   // of this machine
	Server     any      // of files (config.Remote), or a bucket (config.Bucket)
	Command    []string // with its arguments: it takes one file
	InPlace    bool     // to where the sources are now
	FullPath   bool     // also of what is named alone, below Directory
	Force      bool     // even into a repository
	Owner      string   // of all, as target.ParseOwner has it; "": their own
	Chmod      string   // as target.ParseChmod has it; "": their own modes
	NumericIDs bool
	Filling    database.TargetOptions // how databases are filled
	Rows       database.SourceOptions // which rows of databases
	Convert    convert.Options        // how rows become those of another database
	Parallel   int
}

// Destination is where the sources of a snapshot come back to. It is for one goroutine.
type Destination struct {
	Options
	Machine        *machine.Machine
	Bucket         config.BucketLogin // if the settings do not say
	Output, Stderr io.Writer          // of Command
	Legs           *restore.Legs      // on which they come back
	// Lacking is told of an entry that is restored without all of its metadata, from several
	// goroutines at once.
	Lacking func(path string, err error)
	// Inexact is told what of a database is not exact in what it became.
	Inexact func(source string, what database.Finding)
	// Database adds a database that comes back to Directory to Legs; nil: AddFile does.
	Database func(source *catalog.SourceState) error

	base target.Target // below which each source has a folder
}

// IsDatabase tells whether a source comes back as a database: as a whole, that is. What lies below
// it can be had as the files it is stored in.
func (d *Destination) IsDatabase(s *catalog.SourceState) bool {
	return s.IsDatabase() && d.Legs.Path == "" && len(d.Command) == 0
}

// Add adds the ways of sources to Legs. What cannot come back is refused.
func (d *Destination) Add(ctx context.Context, sources []*catalog.SourceState) error {
	if d.Directory != "" && !d.Force {
		if err := restore.RefuseRepository(d.Directory); err != nil {
			return err
		}
	}
	for _, source := range sources {
		if err := d.add(ctx, source); err != nil {
			return err
		}
	}
	return nil
}

func (d *Destination) add(ctx context.Context, source *catalog.SourceState) error {
	switch {
	case d.IsDatabase(source) && d.Database != nil:
		return d.Database(source)
	case d.IsDatabase(source):
		return d.AddFile(source)
	case d.isDirectoryNamed(source):
		open := func(context.Context, bool) (target.Target, error) { return d.openBase(source) }
		places, err := d.Legs.CheckPlaces(ctx, source, []restore.Place{{Below: d.Legs.Path, Path: d.Directory, OpenAt: open}})
		if err != nil {
			return err
		}
		return d.Legs.AddPlaces(ctx, source, places)
	}
	return d.Legs.Add(ctx, source, d.Server != nil, func() (target.Target, error) { return d.open(ctx, source) })
}

// isDirectoryNamed tells whether something is named that was backed up by path, of which the content
// goes into the directory itself.
func (d *Destination) isDirectoryNamed(source *catalog.SourceState) bool {
	return source.Name == catalog.AdHoc && source.Type == "files" && d.Legs.Path != "" && d.Directory != "" && !d.FullPath
}

// open opens the folder that a source comes back to.
func (d *Destination) open(ctx context.Context, source *catalog.SourceState) (target.Target, error) {
	name := strings.Trim(source.Name, "/")
	if bucket, ok := d.Server.(config.Bucket); ok {
		opts, err := d.targetOptions("", source)
		if err != nil {
			return nil, err
		}
		return d.Legs.Opened(bucket.Target(name, opts))
	}
	if d.base == nil {
		var err error
		if d.base, err = d.Legs.Opened(d.openBase(source)); err != nil {
			return nil, err
		}
	}
	return target.In(ctx, name, d.base)
}

// openBase opens the place below which each source has a folder.
func (d *Destination) openBase(source *catalog.SourceState) (target.Target, error) {
	if len(d.Command) > 0 {
		return config.OpenReceiver(config.ReceiverOptions{Command: d.Command, Env: d.Machine.Env.ForPrograms(), Output: d.Output, Stderr: d.Stderr})
	}
	opts, err := d.targetOptions("", source)
	if err != nil {
		return nil, err
	}
	if remote, ok := d.Server.(config.Remote); ok {
		return remote.Target(opts)
	}
	root, err := filepath.Abs(d.Directory)
	if err != nil {
		return nil, fmt.Errorf("restore to %s: %w", d.Directory, err)
	}
	return config.OpenDirectory(root, opts)
}

// targetOptions say how to write what was backed up of source. below precedes paths in warnings.
func (d *Destination) targetOptions(below string, source *catalog.SourceState) (opts config.TargetOptions, err error) {
	files, err := d.Machine.OwnFiles()
	if err != nil {
		return opts, err
	}
	own, err := files.All()
	if err != nil {
		return opts, err
	}
	opts = config.TargetOptions{
		Own: own, NumericIDs: d.NumericIDs, ReadOnly: d.Legs.Options.DryRun, Remote: d.Machine.RemoteLogin(), Bucket: d.Bucket,
		Warn:   func(file string, err error) { d.Lacking(path.Join(below, file), err) },
		Absent: d.Legs.Options.Overwrite == restore.OverwriteNever, Times: !config.IsBucket(source.Location),
	}
	opts.Owner, opts.Chmod, err = d.Rights()
	return opts, err
}

// Rights returns whose the files become and how their modes change. It fails with catalog.ErrMisuse
// if Owner or Chmod mean nothing.
func (o *Options) Rights() (owner target.Owner, chmod target.Chmod, err error) {
	if o.Owner != "" {
		if owner, err = target.ParseOwner(o.Owner); err != nil {
			return owner, chmod, catalog.Misuse("--owner: %w", err)
		}
	}
	if o.Chmod != "" {
		if chmod, err = target.ParseChmod(o.Chmod); err != nil {
			return owner, chmod, catalog.Misuse("--chmod: %w", err)
		}
	}
	return owner, chmod, nil
}

// Roots are the directories and files of this machine that sources come back to, the ones in way to
// their places.
func (d *Destination) Roots(sources []*catalog.SourceState, way []Return) ([]string, error) {
	var roots []string
	for _, back := range way {
		roots = append(roots, restore.Roots(back.Places, d.Legs.Path)...)
	}
	if d.InPlace {
		return roots, nil
	}
	for _, source := range sources {
		name := filepath.Join(strings.Trim(source.Name, "/"), d.Legs.Path)
		if d.IsDatabase(source) {
			name = fileName(source)
		}
		if d.isDirectoryNamed(source) {
			name = ""
		}
		root, err := filepath.Abs(filepath.Join(d.Directory, name))
		if err != nil {
			return nil, fmt.Errorf("check access to %s: %w", d.Directory, err)
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// AddDatabase adds a database to Legs that comes back into an empty one, at the place that find
// finds when it is time. Its tables belong to the role that fills it.
func (d *Destination) AddDatabase(s *catalog.SourceState, find func(ctx context.Context) (database.Location, error)) {
	o := d.Convert
	o.Plan.NoOwner = true
	d.Legs.AddDatabase(s, func(ctx context.Context) (database.Target, error) {
		at, err := find(ctx)
		if err != nil {
			return nil, err
		}
		return config.OpenTarget(ctx, at, d.Filling)
	}, o, d.Filling.Aside, d.inexactOf(s))
}

func (d *Destination) inexactOf(s *catalog.SourceState) func(database.Finding) {
	return func(what database.Finding) { d.Inexact(s.Name, what) }
}

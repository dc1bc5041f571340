package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/restore"
)

// isDatabase tells whether a source comes back as a database: as a whole, that is. What lies below
// it can be had as the files it is stored in.
func (r *restoring) isDatabase(s *catalog.SourceState) bool {
	return s.IsDatabase() && r.path == "" && len(r.o.toCommand) == 0
}

// openStreams opens the rows of a database in the snapshot.
func (r *restoring) openStreams(ctx context.Context, s *catalog.SourceState, filter database.Filter) (database.Source, error) {
	t, fetcher, err := r.legs.Open(s)
	if err != nil {
		return nil, err
	}
	return rows.Open(fetcher.Files(ctx, t), database.SourceOptions{Filter: filter, Aside: r.Aside()})
}

// intoDatabase puts the one database that is named straight into an engine.
func (r *restoring) intoDatabase(ctx context.Context) (err error) {
	at, err := r.from.In(r.snapshot)
	if err != nil {
		return err
	}
	r.path = at.Path
	if len(at.Sources) != 1 || !r.isDatabase(at.Sources[0]) {
		return usage("--to takes one database, named as SNAPSHOT:SOURCE, or the address of a directory on a server or in a bucket; a directory of this machine is --target")
	}
	if err := r.thawFirst(ctx); err != nil {
		return err
	}
	defer func() { err = r.tellFrozen(ctx, err) }()
	o := r.o.filling
	dst, err := r.openDBTarget(ctx, r.o.to, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	single, err := r.single(ctx, dst)
	if err != nil {
		return err
	}
	if single {
		return r.intoTables(ctx, at.Sources[0], dst)
	}
	src, err := r.openStreams(ctx, at.Sources[0], o.filter)
	if err != nil {
		return err
	}
	return r.convertDB(ctx, "restore", src, dst, o)
}

// restoreJobs is how many tables come back at once. Each holds a few megabytes for every run that
// it is stored in.
const restoreJobs = 3

// database brings a database back as one SQLite file below the target.
func (r *restoring) database(ctx context.Context, s *catalog.SourceState) error {
	name := s.Name + ".sqlite"
	e := &entry.Entry{
		Path: name, Type: entry.File, Mode: 0o600, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), ModTime: entry.TimeOf(s.Moment),
	}
	match, err := restore.NewMatch("", r.o.include, r.o.exclude)
	if err != nil {
		return usage("%w", err)
	}
	if match != nil && !match(e) {
		return nil
	}
	file, err := filepath.Abs(filepath.Join(r.o.target, name))
	if err != nil {
		return fmt.Errorf("restore to %s: %w", r.o.target, err)
	}
	d := &restore.DatabaseFile{
		Path: file, Entry: e,
		Rows: func(ctx context.Context) (database.Source, error) { return r.openStreams(ctx, s, r.o.filling.filter) },
		Create: func(ctx context.Context, file string) (database.Target, error) {
			at, err := config.SQLiteAt(file)
			if err != nil {
				return nil, err
			}
			return config.SQLiteFile.OpenTarget(ctx, at, database.TargetOptions{Aside: r.Aside()})
		},
		Folder: func(parent string) (restore.Folder, error) { return config.NewFolder(parent) },
	}
	action, err := d.Action(overwrites[r.o.overwrite])
	if err != nil {
		return err
	}
	r.tell(e, action)
	switch {
	case action == restore.ActionKeep:
		r.total.Kept++
		return nil
	case r.dry():
		r.total.Restored++
		return nil
	}
	return r.writeDatabase(ctx, s.Name, d)
}

// writeDatabase writes the file, and tells what is not exact in it.
func (r *restoring) writeDatabase(ctx context.Context, name string, d *restore.DatabaseFile) error {
	opts, err := r.targetOptions("", &catalog.SourceState{})
	if err != nil {
		return err
	}
	d.Finish = func(ctx context.Context, e *entry.Entry) error {
		to, err := config.OpenDirectory(filepath.Dir(d.Path), opts)
		if err != nil {
			return err
		}
		return errors.Join(to.Finish(ctx, e), to.Close(ctx))
	}
	report, err := d.Write(ctx, r.o.filling.convert(restore.CountRows(&r.progress)))
	if report != nil {
		for _, f := range report.Inexact() {
			r.inexact++
			r.out.Warn(output.Warning{Message: f.String(), Item: output.Name(name)})
		}
	}
	if err != nil {
		return err
	}
	r.total.Restored++
	r.total.Bytes += uint64(d.Entry.Size)
	r.progress.FilesDone.Add(1)
	return nil
}

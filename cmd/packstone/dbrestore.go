package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target/directory"
)

// databaseType is the type of sources that are stored as row streams.
const databaseType = "database"

// isDatabase tells whether a source comes back as a database: as a whole, that is. What lies below
// it can be had as the files it is stored in.
func (r *restoring) isDatabase(s *catalog.SourceState) bool {
	return s.Type == databaseType && r.path == "" && len(r.o.toCommand) == 0
}

// openStreams opens the rows of a database in the snapshot.
func (r *restoring) openStreams(ctx context.Context, s *catalog.SourceState) (database.Source, error) {
	t, fetcher, err := r.tree(s)
	if err != nil {
		return nil, err
	}
	return database.OpenStreams(fetcher.Files(ctx, t), database.SourceOptions{Aside: r.aside()})
}

// intoDatabase puts the one database that is named straight into an engine.
func (r *restoring) intoDatabase(ctx context.Context) (err error) {
	at, err := r.from.In(r.snapshot)
	if err != nil {
		return err
	}
	r.path = at.Path
	if len(at.Sources) != 1 || !r.isDatabase(at.Sources[0]) {
		return usage("--to takes one database: name it as SNAPSHOT:SOURCE")
	}
	o := r.o.filling
	dst, err := r.openDBTarget(ctx, r.o.to, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	src, err := r.openStreams(ctx, at.Sources[0])
	if err != nil {
		return err
	}
	return r.convertDB(ctx, "restore", src, dst, o)
}

// restoreJobs is how many tables come back at once. Each holds a few megabytes for every run that
// it is stored in.
const restoreJobs = 2

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
	action, err := decideFile(file, e, overwrites[r.o.overwrite])
	if err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
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
	return r.writeDatabase(ctx, s, file, e)
}

// decideFile compares a file that is there with the one that would come back.
func decideFile(file string, e *entry.Entry, o restore.Overwrite) (restore.Action, error) {
	there, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return restore.ActionRestore, nil
	}
	if err != nil {
		return "", err
	}
	at := entry.TimeOf(there.ModTime())
	if o == restore.OverwriteNever || o == restore.OverwriteIfNewer && at.Compare(e.ModTime) >= 0 || o == restore.OverwriteIfChanged && at == e.ModTime {
		return restore.ActionKeep, nil
	}
	return restore.ActionUpdate, nil
}

// writeDatabase builds the file beside its place, compares it with what is stored, and gives it its
// name.
func (r *restoring) writeDatabase(ctx context.Context, s *catalog.SourceState, file string, e *entry.Entry) (err error) {
	opts, err := r.directoryOptions()
	if err != nil {
		return err
	}
	parent := filepath.Dir(file)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("restore to %s: %w", parent, err)
	}
	folder, err := sqlite.NewFolder(parent, ".packstone-")
	if err != nil {
		return fmt.Errorf("restore to %s: %w", parent, err)
	}
	defer func() { err = errors.Join(err, folder.Remove()) }()
	built := folder.File(filepath.Base(file))
	if err := r.buildDatabase(ctx, s, built); err != nil {
		return fmt.Errorf("restore %s: %w", e.Path, err)
	}
	if err := replaceDatabase(built, file); err != nil {
		return fmt.Errorf("restore %s: %w", e.Path, err)
	}
	return r.finishDatabase(ctx, file, e, opts)
}

// buildDatabase writes a new SQLite file.
func (r *restoring) buildDatabase(ctx context.Context, s *catalog.SourceState, file string) (err error) {
	src, err := r.openStreams(ctx, s)
	if err != nil {
		return err
	}
	at, err := sqliteAt(file)
	if err != nil {
		return err
	}
	dst, err := sqlite.Driver{}.OpenTarget(ctx, at, database.TargetOptions{Aside: r.aside()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	report, err := database.Convert(ctx, src, dst, r.o.filling.convert(r.databaseProgress()))
	if report != nil {
		for _, f := range report.Inexact() {
			r.inexact++
			r.out.Warn(output.Warning{Message: f.String(), Item: output.Name(s.Name)})
		}
	}
	return err
}

// databaseProgress adds the rows that were copied to what restore counts.
func (r *restoring) databaseProgress() func(database.Progress) {
	r.progress.FilesTotal.Add(1)
	told, expected := int64(0), int64(0)
	return func(p database.Progress) {
		if p.Stage != database.Copying {
			return
		}
		r.progress.BytesDone.Add(uint64(max(p.Bytes-told, 0)))
		r.progress.BytesTotal.Add(uint64(max(p.TotalBytes-expected, 0)))
		told, expected = max(told, p.Bytes), max(expected, p.TotalBytes)
	}
}

// replaceDatabase gives a database its name. What SQLite keeps beside the one that was there
// belongs to that one alone.
func replaceDatabase(built, file string) error {
	for _, beside := range []string{"-wal", "-shm", "-journal"} {
		if err := os.Remove(file + beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(built, file)
}

// finishDatabase gives the file its owner, mode and time.
func (r *restoring) finishDatabase(ctx context.Context, file string, e *entry.Entry, opts directory.Options) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("restore %s: %w", e.Path, err)
	}
	e.Size = info.Size()
	to, err := directory.New(filepath.Dir(file), opts)
	if err != nil {
		return err
	}
	if err := errors.Join(to.Finish(ctx, e), to.Close(ctx)); err != nil {
		return fmt.Errorf("restore %s: %w", e.Path, err)
	}
	r.total.Restored++
	r.total.Bytes += uint64(e.Size)
	r.progress.FilesDone.Add(1)
	return nil
}

package destination

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/restore"
)

// fileName is the file that a database becomes.
func fileName(source *catalog.SourceState) string { return source.Name + ".sqlite" }

// AddFile adds a database to Legs that comes back as one SQLite file in Directory.
func (d *Destination) AddFile(s *catalog.SourceState) error {
	file, err := filepath.Abs(filepath.Join(d.Directory, fileName(s)))
	if err != nil {
		return fmt.Errorf("restore to %s: %w", d.Directory, err)
	}
	opts, err := d.targetOptions("", &catalog.SourceState{})
	if err != nil {
		return err
	}
	return d.Legs.AddFile(s, &restore.DatabaseFile{
		Path: file, Entry: entryOf(s),
		Rows: func(ctx context.Context) (database.Source, error) { return d.Legs.Rows(ctx, s, d.Options.Rows) },
		Create: func(ctx context.Context, file string) (database.Target, error) {
			return createSQLite(ctx, file, d.Filling.Aside)
		},
		Folder: func(parent string) (restore.Folder, error) { return config.NewFolder(parent) },
		Finish: func(ctx context.Context, e *entry.Entry) error {
			to, err := config.OpenDirectory(filepath.Dir(file), opts)
			if err != nil {
				return err
			}
			return errors.Join(to.Finish(ctx, e), to.Close(ctx))
		},
	}, d.Convert, d.inexactOf(s))
}

// entryOf is the file that a database becomes: of whoever runs the program, and of the moment of
// the database.
func entryOf(s *catalog.SourceState) *entry.Entry {
	return &entry.Entry{
		Path: fileName(s), Type: entry.File, Mode: 0o600, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), ModTime: entry.TimeOf(s.Moment),
	}
}

func createSQLite(ctx context.Context, file, aside string) (database.Target, error) {
	at, err := config.SQLiteAt(file)
	if err != nil {
		return nil, err
	}
	return config.SQLiteFile.OpenTarget(ctx, at, database.TargetOptions{Aside: aside})
}

// Jobs is how many tables come back at once. Each holds a few megabytes for every run that it is
// stored in.
const Jobs = 3

// WriteSQLite makes a SQLite file of the streams of a database in a snapshot. Large values wait in
// the directory aside until they are read. inexact is told what is not exact in the file.
func WriteSQLite(ctx context.Context, streams fs.FS, file, aside string, inexact func(database.Finding)) (err error) {
	src, err := rows.Open(streams, database.SourceOptions{Aside: aside})
	if err != nil {
		return err
	}
	dst, err := createSQLite(ctx, file, filepath.Dir(file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	report, err := convert.Run(ctx, src, dst, convert.Options{Jobs: Jobs})
	if report != nil {
		for _, what := range report.Inexact() {
			inexact(what)
		}
	}
	if err != nil {
		return fmt.Errorf("make the SQLite file: %w", err)
	}
	return nil
}

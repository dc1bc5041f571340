package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
)

// DatabaseFile is a database of a snapshot that comes back as one file.
type DatabaseFile struct {
	Path   string
	Entry  *entry.Entry // its name in messages, owner, mode and time
	Rows   func(ctx context.Context) (database.Source, error)
	Create func(ctx context.Context, file string) (database.Target, error)
	// Folder makes a folder beside the file's place, in which it is built.
	Folder func(parent string) (Folder, error)
	// Finish gives the file its owner, mode and time.
	Finish func(ctx context.Context, e *entry.Entry) error
}

// Folder holds a file until it is whole.
type Folder interface {
	File(name string) string // the path of the file that will have a name
	Remove() error
}

// Action compares a file that is there with the one that would come back.
func (d *DatabaseFile) Action(o Overwrite) (Action, error) {
	there, err := os.Lstat(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return ActionRestore, nil
	}
	if err != nil {
		return "", fmt.Errorf("restore %s: %w", d.Entry.Path, err)
	}
	at := entry.TimeOf(there.ModTime())
	if o == OverwriteNever || o == OverwriteIfNewer && at.Compare(d.Entry.ModTime) >= 0 || o == OverwriteIfChanged && at == d.Entry.ModTime {
		return ActionKeep, nil
	}
	return ActionUpdate, nil
}

// Write builds the file beside its place, compares it with what is stored, and gives it its name.
// The report, if there is one, says what of the database is not exact in the file. The entry knows
// its size then.
func (d *DatabaseFile) Write(ctx context.Context, o convert.Options) (report *database.Report, err error) {
	parent := filepath.Dir(d.Path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("restore to %s: %w", parent, err)
	}
	folder, err := d.Folder(parent)
	if err != nil {
		return nil, fmt.Errorf("restore to %s: %w", parent, err)
	}
	defer func() { err = errors.Join(err, folder.Remove()) }()
	built := folder.File(filepath.Base(d.Path))
	if report, err = d.build(ctx, built, o); err != nil {
		return report, fmt.Errorf("restore %s: %w", d.Entry.Path, err)
	}
	if err := d.place(ctx, built); err != nil {
		return report, fmt.Errorf("restore %s: %w", d.Entry.Path, err)
	}
	return report, nil
}

// build writes a new file.
func (d *DatabaseFile) build(ctx context.Context, file string, o convert.Options) (report *database.Report, err error) {
	src, err := d.Rows(ctx)
	if err != nil {
		return nil, err
	}
	dst, err := d.Create(ctx, file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	return convert.Run(ctx, src, dst, o)
}

// place gives a file that was built its name, owner, mode and time. What SQLite keeps beside the
// one that was there belongs to that one alone.
func (d *DatabaseFile) place(ctx context.Context, built string) error {
	for _, beside := range []string{"-wal", "-shm", "-journal"} {
		if err := os.Remove(d.Path + beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(built, d.Path); err != nil {
		return err
	}
	info, err := os.Stat(d.Path)
	if err != nil {
		return err
	}
	d.Entry.Size = info.Size()
	return d.Finish(ctx, d.Entry)
}

// CountRows counts the rows that are copied of one database as progress of a restore.
func CountRows(counts *pipeline.Progress) func(convert.Progress) {
	counts.FilesTotal.Add(1)
	told, expected := int64(0), int64(0)
	return func(p convert.Progress) {
		if p.Stage != convert.Copying {
			return
		}
		counts.BytesDone.Add(uint64(max(p.Bytes-told, 0)))
		counts.BytesTotal.Add(uint64(max(p.TotalBytes-expected, 0)))
		told, expected = max(told, p.Bytes), max(expected, p.TotalBytes)
	}
}

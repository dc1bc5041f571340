package restore

import (
	"context"
	"errors"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
)

// rowsMemory is how many bytes are fetched ahead of rows: databases take in less in the time of some
// requests.
const rowsMemory = 32 << 20

// Rows opens the rows of a source that is a database.
func (l *Legs) Rows(ctx context.Context, source *catalog.SourceState, o database.SourceOptions) (database.Source, error) {
	how := l.Fetch
	if how.Memory == 0 || how.Memory > rowsMemory {
		how.Memory = rowsMemory
	}
	t, fetcher, err := l.open(source, how)
	if err != nil {
		return nil, err
	}
	return rows.Open(fetcher.Files(ctx, t), o)
}

// AddFile adds a database that comes back as one file, if the patterns mean it. inexact is told what
// of the database is not exact there.
func (l *Legs) AddFile(source *catalog.SourceState, d *DatabaseFile, o convert.Options, inexact func(database.Finding)) error {
	match, err := NewMatch("", l.Include, l.Exclude)
	if err != nil {
		return catalog.Misuse("%w", err)
	}
	if match != nil && !match(d.Entry) {
		return nil
	}
	l.addOther(source, func(ctx context.Context, total *Result) error { return l.writeFile(ctx, d, o, inexact, total) })
	return nil
}

// writeFile writes the file of a database, unless what is there is to stay.
func (l *Legs) writeFile(ctx context.Context, d *DatabaseFile, o convert.Options, inexact func(database.Finding), total *Result) error {
	action, err := d.Action(l.Options.Overwrite)
	if err != nil {
		return err
	}
	if l.Options.Plan != nil {
		l.Options.Plan(d.Entry, action)
	}
	switch {
	case action == ActionKeep:
		total.Kept++
		return nil
	case l.Options.DryRun:
		total.Restored++
		return nil
	}
	o.Progress = CountRows(l.Options.Progress)
	report, err := d.Write(ctx, o)
	tellInexact(report, inexact)
	if err != nil {
		return err
	}
	total.Restored++
	total.Bytes += uint64(d.Entry.Size)
	l.Options.Progress.FilesDone.Add(1)
	return nil
}

// AddDatabase adds a database that comes back into an empty one, which open opens. inexact is told
// what of it is not exact there.
func (l *Legs) AddDatabase(source *catalog.SourceState, open func(ctx context.Context) (database.Target, error), o convert.Options, aside string, inexact func(database.Finding)) {
	l.addOther(source, func(ctx context.Context, total *Result) (err error) {
		if l.Options.DryRun {
			total.Restored++
			return nil
		}
		dst, err := open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dst.Close()) }()
		src, err := l.Rows(ctx, source, database.SourceOptions{Aside: aside})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, src.Close()) }()
		o.Progress = CountRows(l.Options.Progress)
		report, err := convert.Run(ctx, src, dst, o)
		if err != nil {
			return err
		}
		tellInexact(report, inexact)
		total.Restored++
		return nil
	})
}

func tellInexact(report *database.Report, tell func(database.Finding)) {
	if report == nil {
		return
	}
	for _, f := range report.Inexact() {
		tell(f)
	}
}

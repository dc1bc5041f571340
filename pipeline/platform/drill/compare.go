package drill

import (
	"context"
	"errors"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/restore"
)

// difference is something that is not as the snapshot has it.
type difference struct {
	item string // a path, or the ID of a table; "": of a database as a whole
	what string
}

// String says what is not as it was, in a line.
func (x difference) String() string {
	if x.item == "" {
		return x.what
	}
	return entry.Printable(x.item) + " " + x.what
}

// counted is what a comparison has looked at.
type counted struct{ entries, tables, rows, bytes uint64 }

// compare compares a scratch place with the snapshot, and fails the drill where they differ.
func (d *drill) compare(ctx context.Context, p *scratchPlace) error {
	return d.step(ctx, "compare "+p.name, true, func(ctx context.Context) error {
		n, err := d.differences(ctx, p, func(x difference) {
			p.found.Differs++
			p.differing[x.item] = true
			if len(p.found.Differences) < mostTexts {
				p.found.Differences = append(p.found.Differences, x.String())
			}
		})
		p.found.Entries, p.found.Tables, p.found.Rows, p.found.Bytes = n.entries, n.tables, n.rows, n.bytes
		if err == nil && p.found.Differs > 0 {
			d.fail("%s: %s, the first: %s", p.name, entry.Plural(p.found.Differs, "difference"), p.found.Differences[0])
		}
		return err
	})
}

// differences compares a scratch place with the snapshot. It is what the negative control tests.
func (d *drill) differences(ctx context.Context, p *scratchPlace, tell func(difference)) (counted, error) {
	if p.isDatabase() {
		return d.compareRows(ctx, p, tell)
	}
	return d.compareFiles(ctx, p, tell)
}

func (d *drill) compareFiles(ctx context.Context, p *scratchPlace, tell func(difference)) (counted, error) {
	t, fetcher, err := p.legs.Open(p.source)
	if err != nil {
		return counted{}, err
	}
	to, err := d.OpenDirectory(p.dir, p.source, func(string, error) {})
	if err != nil {
		return counted{}, err
	}
	found, err := restore.Compare(ctx, p.source, t, fetcher, to, restore.CompareOptions{
		Parallel: d.Parallel, Progress: d.Progress, Differs: func(path, what string) { tell(difference{path, what}) },
	})
	return counted{entries: found.Entries, bytes: found.Bytes}, errors.Join(err, to.Close(ctx))
}

func (d *drill) compareRows(ctx context.Context, p *scratchPlace, tell func(difference)) (n counted, err error) {
	src, err := d.openRows(ctx, p)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	copied, err := d.Databases.Target(ctx, p.at, database.TargetOptions{Aside: d.Aside})
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	report, err := convert.Verify(ctx, src, copied, convert.Options{Plan: plan})
	if report != nil {
		for _, t := range report.Tables {
			n.tables++
			n.rows += uint64(t.Rows)
			n.bytes += uint64(t.Bytes)
		}
	}
	if !errors.Is(err, database.ErrMismatch) {
		return n, err
	}
	for _, one := range apart(err) {
		tell(ofTable(one))
	}
	return n, nil
}

// apart are the errors that were joined.
func apart(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// ofTable finds out which table a difference is of.
func ofTable(err error) difference {
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "table "); ok {
		if table, what, ok := strings.Cut(rest, ": "); ok {
			return difference{table, what}
		}
	}
	return difference{"", text}
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

type findOptions struct {
	snapshots      []string
	newest, oldest string
	types          []string
	anyCase        bool
	long, human    bool
}

func newFind(a *app) *cobra.Command {
	var o findOptions
	cmd := described("find", cobra.MinimumNArgs(1))
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.snapshots, "snapshot", "s", nil, "search only this `snapshot`; may be repeated")
	flags.StringVarP(&o.newest, "newest", "N", "", "only files changed at or before this `time`")
	flags.StringVarP(&o.oldest, "oldest", "O", "", "only files changed at or after this `time`")
	flags.BoolVar(&o.anyCase, "ignore-case", false, "ignore case")
	flags.StringSliceVar(&o.types, "type", nil, "only entries of this `type`: file, dir, symlink, fifo, chardev, dev or socket; f, d and l for short")
	flags.BoolVarP(&o.long, "long", "l", false, "show mode, owner, size and time")
	flags.BoolVar(&o.human, "human-readable", false, "with -l, show sizes in KiB, MiB and so on")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		f, err := newFinder(o, args)
		if err != nil {
			return err
		}
		if err := checkSnapshots(o.snapshots); err != nil {
			return err
		}
		if f.browser, err = a.browse(ctx); err != nil {
			return err
		}
		return f.run(ctx)
	})
}

// finder is one run of find.
type finder struct {
	*browser
	o     findOptions
	query browse.Query
	rows  *output.Rows
	found bool
}

func newFinder(o findOptions, patterns []string) (*finder, error) {
	f := &finder{o: o, query: browse.Query{Patterns: patterns, AnyCase: o.anyCase}}
	if err := f.query.Limit(o.types, o.oldest, o.newest); err != nil {
		return nil, err
	}
	return f, f.query.Check()
}

func (f *finder) run(ctx context.Context) error {
	chosen, err := f.Choose(f.o.snapshots)
	if err != nil {
		return err
	}
	if len(f.o.snapshots) == 0 {
		chosen = f.Trusted(chosen)
	}
	f.rows = f.app.out.Rows()
	search, err := f.Find(f.query)
	if err != nil {
		return err
	}
	for _, s := range chosen {
		if err = f.search(ctx, search, s); err != nil {
			break
		}
	}
	err = errors.Join(err, f.rows.Close())
	if len(f.o.snapshots) == 0 {
		err = errors.Join(err, f.Whole(ctx))
	}
	if err == nil && !f.found {
		f.app.out.Note("nothing matches in %s", output.Plural(len(chosen), "snapshot"))
	}
	return err
}

// search prints what matches in one snapshot.
func (f *finder) search(ctx context.Context, search *browse.Finder, s *catalog.Snapshot) error {
	headed := false
	return search.Search(ctx, s, func(source *catalog.SourceState, e *entry.Entry) error {
		if !headed {
			headed = true
			if err := f.rows.Text(fmt.Sprintf("snapshot %s of %s, %s", s.ShortID(), output.Time(s.Time), output.Name(s.Host))); err != nil {
				return err
			}
		}
		return f.print(s, source, e)
	})
}

func (f *finder) print(s *catalog.Snapshot, source *catalog.SourceState, e *entry.Entry) error {
	f.found = true
	row := message.Found{Snapshot: s.ID.String(), SnapshotTime: s.Time, Entry: message.EntryOf(source.Name, e)}
	if f.o.long {
		return f.rows.Add(row, row.Long(f.o.human))
	}
	return f.rows.Add(row, row.Place())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
)

// foundRow is a match in the JSON array of find.
type foundRow struct {
	Snapshot     string    `json:"snapshot" doc:"The snapshot that has it."`
	SnapshotTime time.Time `json:"snapshot_time" doc:"When that was taken."`
	entryRow
}

type findOptions struct {
	snapshots      []string
	newest, oldest string
	long           bool
}

func newFind(a *app) *cobra.Command {
	var o findOptions
	cmd := &cobra.Command{
		Use:   "find PATTERN...",
		Short: "Find files by their names, in all snapshots or in some.",
		Long: `A pattern without a slash is compared with names, one that begins with a slash with whole paths below their source, any other with
the last parts of paths. * stands for anything but a slash, ? for one character, [a-z] for one of several. Of snapshots that follow
each other only what differs is read.`,
		Example: `  packstone find "*.docx"
  packstone find --set platform --newest 2026-11-20 -l "reports/*.csv"`,
		Args: cobra.MinimumNArgs(1),
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.snapshots, "snapshot", "s", nil, "look into this `snapshot` only; may be repeated")
	flags.StringVarP(&o.newest, "newest", "N", "", "changed at this `time` or before")
	flags.StringVarP(&o.oldest, "oldest", "O", "", "changed at this `time` or after")
	flags.BoolVarP(&o.long, "long", "l", false, "with mode, owner, size and time")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		f, err := newFinder(o, args)
		if err != nil {
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
	o        findOptions
	patterns []string
	from, to time.Time // modification times; zero: any
	rows     *output.Rows
	series   map[string]*series
}

// series is what find knows of one source on its way through time: its last tree, and what matched there.
type series struct {
	last *tree.Tree
	hits []*entry.Entry
}

// heldHits is how many matches are kept to be compared with the next tree; a tree with more is read anew.
const heldHits = 100_000

func newFinder(o findOptions, patterns []string) (*finder, error) {
	f := &finder{o: o, patterns: patterns, series: map[string]*series{}}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, usage("pattern %s: %w", pattern, err)
		}
	}
	for _, limit := range []struct {
		flag, text string
		at         *time.Time
	}{{"--oldest", o.oldest, &f.from}, {"--newest", o.newest, &f.to}} {
		if limit.text == "" {
			continue
		}
		t, err := catalog.ParseTime(limit.text)
		if err != nil {
			return nil, usage("%s: %w", limit.flag, err)
		}
		*limit.at = t
	}
	return f, nil
}

func (f *finder) run(ctx context.Context) error {
	chosen, err := f.choose(f.o.snapshots)
	if err != nil {
		return err
	}
	if len(f.o.snapshots) == 0 {
		chosen = f.trusted(chosen)
	}
	f.rows = f.out.Rows()
	for _, s := range chosen {
		if err = f.search(ctx, s); err != nil {
			break
		}
	}
	return errors.Join(err, f.rows.Close(), f.whole(f.o.snapshots))
}

// search prints what matches in one snapshot.
func (f *finder) search(ctx context.Context, s *catalog.Snapshot) error {
	headed := false
	for i := range s.Sources {
		source := &s.Sources[i]
		t, err := f.tree(s, source)
		if err != nil {
			return err
		}
		err = f.matches(ctx, strings.Join([]string{s.Set, s.Host, source.Name}, "\x00"), t, func(e *entry.Entry) error {
			if !headed {
				headed = true
				if err := f.rows.Text(fmt.Sprintf("snapshot %s of %s, %s", s.ID.String()[:shortID], output.Time(s.Time), output.Name(s.Host))); err != nil {
					return err
				}
			}
			return f.print(s, source, e)
		})
		if err != nil {
			return fmt.Errorf("find in snapshot %s: %w", s.ID.String()[:shortID], err)
		}
	}
	return nil
}

func (f *finder) print(s *catalog.Snapshot, source *catalog.SourceState, e *entry.Entry) error {
	row := foundRow{Snapshot: s.ID.String(), SnapshotTime: s.Time, entryRow: entryRowOf(source.Name, e)}
	if f.o.long {
		return f.rows.Add(row, row.long())
	}
	return f.rows.Add(row, row.place())
}

// matches tells each of what matches in a tree, in order. Where the last tree of the series is known, only the difference is read.
func (f *finder) matches(ctx context.Context, key string, t *tree.Tree, each func(*entry.Entry) error) error {
	before := f.series[key]
	delete(f.series, key)
	now := &series{last: t}
	take := func(e *entry.Entry) error {
		if len(now.hits) <= heldHits {
			now.hits = append(now.hits, e)
		}
		return each(e)
	}
	var err error
	if before != nil {
		err = f.carry(ctx, before, t, take)
	} else {
		err = f.scan(ctx, t, take)
	}
	if err == nil && len(now.hits) <= heldHits {
		f.series[key] = now
	}
	return err
}

func (f *finder) scan(ctx context.Context, t *tree.Tree, take func(*entry.Entry) error) error {
	for n, err := range t.All(ctx, "") {
		if err == nil && f.match(&n.Entry) {
			err = take(entryOf(n))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entryOf copies the entry of a node that is about to change.
func entryOf(n *tree.Node) *entry.Entry {
	e := n.Clone().Entry
	return &e
}

// carry takes the matches of the last tree that the next one still has, and those that are new or changed.
func (f *finder) carry(ctx context.Context, before *series, t *tree.Tree, take func(*entry.Entry) error) error {
	hits := before.hits
	until := func(path string) error { // takes what lies before path, and drops path itself
		for len(hits) > 0 {
			order := entry.ComparePaths(hits[0].Path, path)
			if order > 0 {
				break
			}
			e := hits[0]
			hits = hits[1:]
			if order == 0 {
				break
			}
			if err := take(e); err != nil {
				return err
			}
		}
		return nil
	}
	for change, err := range tree.Diff(ctx, before.last, t) {
		if err == nil {
			err = until(change.Path)
		}
		if err == nil && change.New != nil && f.match(&change.New.Entry) {
			err = take(entryOf(change.New))
		}
		if err != nil {
			return err
		}
	}
	for _, e := range hits {
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) match(e *entry.Entry) bool {
	if e.Path == "" || !f.from.IsZero() && e.ModTime.Time().Before(f.from) || !f.to.IsZero() && e.ModTime.Time().After(f.to) {
		return false
	}
	return slices.ContainsFunc(f.patterns, func(pattern string) bool { return patternMatches(pattern, e.Path) })
}

// patternMatches compares a pattern with a whole path if it begins with a slash, else with as many of the path's last parts as it has.
func patternMatches(pattern, name string) bool {
	if whole, ok := strings.CutPrefix(pattern, "/"); ok {
		matched, _ := path.Match(whole, name)
		return matched
	}
	start := len(name)
	for range strings.Count(pattern, "/") + 1 {
		if start < 0 {
			return false
		}
		start = strings.LastIndexByte(name[:start], '/')
	}
	matched, _ := path.Match(pattern, name[start+1:])
	return matched
}

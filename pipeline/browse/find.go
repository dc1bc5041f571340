package browse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// Query describes what to find. A pattern without a slash is matched with names, one that begins
// with a slash with whole paths below their source, any other with the last parts of paths.
type Query struct {
	Patterns []string
	AnyCase  bool         // A is a
	Types    []entry.Type // nil: any
	From, To time.Time    // modification times; zero: any
}

// Limit restricts a query to entries of some types, by their words, that were modified between two
// times; a date alone is its beginning as the first and its end as the last. What is "" or empty
// restricts nothing. catalog.ErrMisuse names the flag whose value is wrong.
func (q *Query) Limit(types []string, oldest, newest string) (err error) {
	for _, word := range types {
		t, ok := TypeOf(word)
		if !ok {
			return catalog.Misuse("--type %s: want file, dir, symlink, fifo, chardev, dev or socket", word)
		}
		q.Types = append(q.Types, t)
	}
	if oldest != "" {
		if q.From, err = catalog.ParseTime(oldest); err != nil {
			return catalog.Misuse("--oldest: %w", err)
		}
	}
	if newest != "" {
		if q.To, err = catalog.ParseMoment(newest); err != nil {
			return catalog.Misuse("--newest: %w", err)
		}
	}
	return nil
}

// Finder searches one snapshot after the other. Of consecutive snapshots it reads only the
// difference.
type Finder struct {
	b      *Browser
	q      *matcher
	series map[string]*series
}

// series is what is known of one source over time: its last tree, and what matched there.
type series struct {
	last *tree.Tree
	hits []*entry.Entry
}

// heldHits is how many matches are kept for the comparison with the next tree. After more, that
// tree is read in full.
const heldHits = 100_000

// Find returns a Finder. It fails with catalog.ErrMisuse if a pattern is invalid.
func (b *Browser) Find(q Query) (*Finder, error) {
	m, err := q.matcher()
	return &Finder{b: b, q: m, series: map[string]*series{}}, err
}

// Check fails with catalog.ErrMisuse if a pattern is invalid.
func (q Query) Check() error {
	_, err := q.matcher()
	return err
}

// Search calls each with all matches in a snapshot, source by source and in order.
func (f *Finder) Search(ctx context.Context, s *catalog.Snapshot, each func(source *catalog.SourceState, e *entry.Entry) error) error {
	for i := range s.Sources {
		source := &s.Sources[i]
		t, err := f.b.Tree(s, source)
		if err != nil {
			return err
		}
		err = f.matches(ctx, strings.Join([]string{s.Set, s.Host, source.Name}, "\x00"), t, func(e *entry.Entry) error { return each(source, e) })
		if err != nil {
			return fmt.Errorf("find in snapshot %s: %w", s.ShortID(), err)
		}
	}
	return nil
}

// matches calls each with all matches in a tree, in order. If it knows the last tree of the series,
// it reads only the difference.
func (f *Finder) matches(ctx context.Context, key string, t *tree.Tree, each func(*entry.Entry) error) error {
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

func (f *Finder) scan(ctx context.Context, t *tree.Tree, take func(*entry.Entry) error) error {
	for n, err := range t.All(ctx, "") {
		if err == nil && f.q.match(&n.Entry) {
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

// carry calls take with the matches of the last tree that are still in the next one, and with new
// or changed ones.
func (f *Finder) carry(ctx context.Context, before *series, t *tree.Tree, take func(*entry.Entry) error) error {
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
		if err == nil && change.New != nil && f.q.match(&change.New.Entry) {
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

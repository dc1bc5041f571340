package browse

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/source"
)

// LiveSources compare sources of a snapshot with what they are now.
type LiveSources struct {
	// Open opens a source as it is now, OpenDatabase one that is a database.
	Open         func(ctx context.Context, s *catalog.SourceState) (source.Source, error)
	OpenDatabase func(ctx context.Context, s *catalog.SourceState) (database.Source, error)
	Aside        string // a directory for large values
	// Each is told each entry that differs, EachTable each table. An error ends the comparison.
	Each      func(source string, kind Kind, c *tree.Change) error
	EachTable func(source string, c TableChange) error
	// Problem is told what cannot be compared.
	Problem func(source, path string, err error)
}

// CompareLive compares sources of a snapshot, in their order.
func (b *Browser) CompareLive(ctx context.Context, s *catalog.Snapshot, sources []*catalog.SourceState, l LiveSources) error {
	for _, one := range sources {
		var err error
		switch {
		case one.IsDatabase():
			err = b.liveDatabase(ctx, s, one, l)
		case one.Type == "command":
			l.Problem(one.Name, "", errors.New("it is the output of a command, which has no state to compare with"))
		default:
			err = b.liveFiles(ctx, s, one, l)
		}
		if err != nil {
			return fmt.Errorf("compare %s: %w", entry.Printable(catalog.PlaceName(one.Name, "")), err)
		}
	}
	return nil
}

func (b *Browser) liveFiles(ctx context.Context, s *catalog.Snapshot, one *catalog.SourceState, l LiveSources) (err error) {
	t, err := b.Tree(s, one)
	if err != nil {
		return err
	}
	now, err := l.Open(ctx, one)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, now.Close()) }()
	live := Live{
		Each:    func(kind Kind, c *tree.Change) error { return l.Each(one.Name, kind, c) },
		Problem: func(path string, err error) { l.Problem(one.Name, path, err) },
	}
	return live.Compare(ctx, t, now)
}

func (b *Browser) liveDatabase(ctx context.Context, s *catalog.Snapshot, one *catalog.SourceState, l LiveSources) (err error) {
	was, err := b.Database(ctx, s, one, database.SourceOptions{Aside: l.Aside})
	if err != nil {
		return err
	}
	now, err := l.OpenDatabase(ctx, one)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, now.Close()) }()
	return CompareDatabase(ctx, was, now, func(c TableChange) error { return l.EachTable(one.Name, c) })
}

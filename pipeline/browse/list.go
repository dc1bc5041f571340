package browse

import (
	"context"
	"iter"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
)

// List calls each with the content of a spot: the sources of a snapshot, or the paths that were
// backed up; what is in a directory; a file itself. With recursive it lists everything below
// instead. It reads only the pages of trees that it needs.
func (b *Browser) List(ctx context.Context, at catalog.Spot, recursive bool, each func(source *catalog.SourceState, e *entry.Entry) error) error {
	l := listing{recursive, each}
	for _, source := range at.Sources {
		t, err := b.Tree(at.Snapshot, source)
		if err != nil {
			return err
		}
		for _, path := range startingPoints(at, source) {
			if len(at.Sources) > 1 && !recursive {
				err = each(source, &entry.Entry{Type: entry.Directory, Mode: 0o755, ModTime: entry.TimeOf(source.Moment)})
			} else {
				err = l.tree(ctx, catalog.Spot{Snapshot: at.Snapshot, Sources: []*catalog.SourceState{source}, Path: path}, t)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// listing is one run of List.
type listing struct {
	recursive bool
	each      func(source *catalog.SourceState, e *entry.Entry) error
}

// startingPoints returns the paths to list: what was backed up, unless a path was named.
func startingPoints(at catalog.Spot, source *catalog.SourceState) []string {
	if at.Path != "" || len(source.Paths) == 0 {
		return []string{at.Path}
	}
	paths := make([]string, len(source.Paths))
	for i, path := range source.Paths {
		paths[i] = strings.Trim(path, "/")
	}
	return paths
}

// tree lists one directory, or a file.
func (l listing) tree(ctx context.Context, at catalog.Spot, t *tree.Tree) error {
	source := at.Sources[0]
	node, err := at.Node(ctx, t)
	if err != nil {
		return err
	}
	if node.Type != entry.Directory {
		return l.each(source, &node.Entry)
	}
	for n, err := range l.below(ctx, t, at.Path) {
		if err == nil && n.Path != at.Path {
			err = l.each(source, &n.Entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l listing) below(ctx context.Context, t *tree.Tree, dir string) iter.Seq2[*tree.Node, error] {
	if l.recursive {
		return t.Below(ctx, dir)
	}
	return t.List(ctx, dir)
}

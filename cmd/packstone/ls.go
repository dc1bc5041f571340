package main

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newLs(a *app) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "ls SNAPSHOT[:SOURCE[/PATH]]",
		Short: "List what is in a snapshot, a source or a directory of it.",
		Long: `A snapshot lists its sources, or the paths that were backed up; a directory what lies in it; a file itself. Each name is
what follows the colon when it is to be restored. Only the pages of the tree that are needed are read.`,
		Example: `  packstone ls latest:files/reports -l
  packstone ls --recursive 4f2a81c0`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&l.long, "long", "l", false, "with mode, owner, size and time")
	flags.BoolVar(&l.recursive, "recursive", false, "with all that lies below")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		b, err := a.browse(ctx)
		if err != nil {
			return err
		}
		at, err := b.find(args[0])
		if err != nil {
			return err
		}
		l.browser, l.rows = b, a.out.Rows()
		return errors.Join(l.list(ctx, at), l.rows.Close())
	})
}

// listing is one run of ls.
type listing struct {
	*browser
	rows            *output.Rows
	long, recursive bool
}

func (l *listing) list(ctx context.Context, at spot) error {
	for _, source := range at.sources {
		t, err := l.tree(at.snapshot, source)
		if err != nil {
			return err
		}
		for _, path := range startingPoints(at, source) {
			one := spot{at.snapshot, []*catalog.SourceState{source}, path}
			if len(at.sources) > 1 && !l.recursive {
				err = l.print(source, &entry.Entry{Type: entry.Directory, Mode: 0o755, ModTime: entry.TimeOf(source.Moment)})
			} else {
				err = l.listTree(ctx, one, t)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// startingPoints are the paths that are listed: what was backed up, unless a path was named.
func startingPoints(at spot, source *catalog.SourceState) []string {
	if at.path != "" || len(source.Paths) == 0 {
		return []string{at.path}
	}
	paths := make([]string, len(source.Paths))
	for i, path := range source.Paths {
		paths[i] = strings.Trim(path, "/")
	}
	return paths
}

// listTree lists one directory, or prints a file.
func (l *listing) listTree(ctx context.Context, at spot, t *tree.Tree) error {
	source := at.sources[0]
	node, err := at.node(ctx, t)
	if err != nil {
		return err
	}
	if node.Type != entry.Directory {
		return l.print(source, &node.Entry)
	}
	for n, err := range l.below(ctx, t, at.path) {
		if err == nil && n.Path != at.path {
			err = l.print(source, &n.Entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) below(ctx context.Context, t *tree.Tree, dir string) iter.Seq2[*tree.Node, error] {
	if l.recursive {
		return t.Below(ctx, dir)
	}
	return t.List(ctx, dir)
}

func (l *listing) print(source *catalog.SourceState, e *entry.Entry) error {
	row := entryRowOf(source.Name, e)
	if l.long {
		return l.rows.Add(row, row.long())
	}
	return l.rows.Add(row, row.place())
}

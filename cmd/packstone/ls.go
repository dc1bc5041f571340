package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newLs(a *app) *cobra.Command {
	var l listing
	var recursive bool
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
	flags.BoolVar(&recursive, "recursive", false, "with all that lies below")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		b, err := a.browse(ctx)
		if err != nil {
			return err
		}
		at, err := b.find(args[0])
		if err != nil {
			return err
		}
		l.rows = a.out.Rows()
		return errors.Join(b.List(ctx, at, recursive, l.print), l.rows.Close())
	})
}

// listing is one run of ls.
type listing struct {
	rows *output.Rows
	long bool
}

func (l *listing) print(source *catalog.SourceState, e *entry.Entry) error {
	row := entryRowOf(source.Name, e)
	if l.long {
		return l.rows.Add(row, row.long())
	}
	return l.rows.Add(row, row.place())
}

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newLs(a *app) *cobra.Command {
	var l listing
	var recursive bool
	cmd := described("ls", cobra.ExactArgs(1))
	flags := cmd.Flags()
	flags.BoolVarP(&l.long, "long", "l", false, "show mode, owner, size and time")
	flags.BoolVar(&l.human, "human-readable", false, "with -l, show sizes in KiB, MiB and so on")
	flags.StringVar(&l.sort, "sort", "", "sort by `what`: name, size (largest first), time (newest first) or extension")
	flags.BoolVar(&l.reverse, "reverse", false, "reverse the order")
	flags.BoolVar(&recursive, "recursive", false, "list directories recursively")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if err := l.check(); err != nil {
			return err
		}
		b, at, err := a.place(ctx, args[0])
		if err != nil {
			return err
		}
		l.rows = a.out.Rows()
		err = b.List(ctx, at, recursive, l.print)
		if err == nil {
			err = l.printSorted()
		}
		return errors.Join(err, l.rows.Close())
	})
}

// listing is one run of ls.
type listing struct {
	rows                 *output.Rows
	long, human, reverse bool
	sort                 string
	held                 []message.Entry // to be sorted
}

func (l *listing) check() error {
	if l.sort == "mtime" {
		l.sort = "time"
	}
	if l.sort != "" && !message.CanSort(l.sort) {
		return usage("--sort %s: want name, size, time or extension", l.sort)
	}
	return nil
}

func (l *listing) print(source *catalog.SourceState, e *entry.Entry) error {
	row := message.EntryOf(source.Name, e)
	if l.sort != "" || l.reverse {
		l.held = append(l.held, row)
		return nil
	}
	return l.printRow(row)
}

// printSorted prints the rows that were held back.
func (l *listing) printSorted() error {
	message.SortEntries(l.held, l.sort, l.reverse)
	for _, row := range l.held {
		if err := l.printRow(row); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) printRow(row message.Entry) error {
	if l.long {
		return l.rows.Add(row, row.Long(l.human))
	}
	return l.rows.Add(row, row.Place())
}

package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newCatalogQuery(a *app) *cobra.Command {
	var stale bool
	cmd := &cobra.Command{
		Use:   "query SQL",
		Short: "Run a SQL query over snapshots, records, packs and files.",
		Long: `The query is one SQLite statement that only reads, over the views snapshots, snapshot_sources,
snapshot_tags, records, index_runs, packs and files. docs/catalog.md describes them. packstone
updates its SQLite mirror of the repository first. The view files contains the snapshots that
"catalog rebuild --files" has listed.`,
		Example: `  packstone catalog query "SELECT time, host, bytes FROM snapshots"
  packstone catalog query --json "SELECT path FROM files WHERE size > 1e9"`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&stale, "no-refresh", false, "query the mirror without updating it")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions, func(ctx context.Context, args []string) error {
		return a.queryCatalog(ctx, args[0], stale)
	})
}

func (a *app) queryCatalog(ctx context.Context, sql string, stale bool) error {
	if err := a.asideForPast(stale); err != nil {
		return err
	}
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite)
	if err != nil {
		return err
	}
	m, whole, err := a.mirrorFor(ctx, repo, stale)
	if err != nil {
		return err
	}
	err = a.answer(ctx, m, sql)
	if errors.Is(err, mirror.ErrDamaged) && !stale {
		if err := errors.Join(m.Close(), mirror.Remove(mirror.Path(repo.Cache))); err != nil {
			return err
		}
		if m, whole, err = a.mirrorFor(ctx, repo, false); err != nil {
			return err
		}
		err = a.answer(ctx, m, sql)
	}
	if errors.Is(err, mirror.ErrQuery) {
		err = usage("catalog query: %w", err)
	}
	return errors.Join(err, m.Close(), whole)
}

// asideForPast makes the mirror of an earlier state in a directory of its own.
func (a *app) asideForPast(stale bool) (err error) {
	switch {
	case a.flags.VersionsAt.IsZero():
		return nil
	case stale:
		return usage("--no-refresh queries the mirror of now, which --versions-at leaves aside: give one of them")
	case a.giveBack == nil:
		a.giveBack, err = a.BorrowCache()
	}
	return err
}

// mirrorFor opens the mirror, and says whether the repository shows all that it must have had.
func (a *app) mirrorFor(ctx context.Context, repo *catalog.Repository, stale bool) (m *mirror.Mirror, whole, err error) {
	if stale {
		m, err = mirror.Open(mirror.Path(repo.Cache))
		return m, nil, err
	}
	v, err := a.readLog(ctx, repo)
	if err != nil {
		return nil, nil, err
	}
	m, err = mirror.Of(ctx, repo, v.Log)
	return m, v.Whole(ctx), err
}

// answer prints what the mirror says: in JSON row by row, else as a table.
func (a *app) answer(ctx context.Context, m *mirror.Mirror, sql string) error {
	if strings.Contains(strings.ToLower(sql), "files") {
		a.noteNoFiles(ctx, m)
	}
	if a.out.JSON() {
		return a.answerJSON(ctx, m, sql)
	}
	var table output.Table
	head := func(columns []string) error {
		table.Head = slices.Clone(columns)
		return nil
	}
	err := m.Query(ctx, sql, head, func(row []any) error {
		texts := make([]string, len(row))
		for i, v := range row {
			texts[i] = output.Cell(v)
		}
		table.Rows = append(table.Rows, texts)
		return nil
	})
	if err != nil {
		return err
	}
	table.Footer = output.Plural(len(table.Rows), "row")
	return output.List(a.out, []struct{}{}, table)
}

// noteNoFiles tells why the view files is empty.
func (a *app) noteNoFiles(ctx context.Context, m *mirror.Mirror) {
	if counts, err := m.Counts(ctx); err == nil && counts.Files == 0 {
		a.out.Note("no snapshot's files are listed yet: run packstone catalog rebuild --files [SNAPSHOT...]")
	}
}

func (a *app) answerJSON(ctx context.Context, m *mirror.Mirror, sql string) error {
	rows := a.out.Rows()
	row := output.Record{}
	head := func(columns []string) error {
		row.Columns = columns
		return nil
	}
	err := m.Query(ctx, sql, head, func(values []any) error {
		row.Values = values
		return rows.Add(row, "")
	})
	if err != nil {
		return err
	}
	return rows.Close()
}

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fetch"
)

func newCatalog(a *app) *cobra.Command {
	return group(described("catalog", nil), newCatalogVerify(a), newCatalogRebuild(a), newCatalogQuery(a), newCatalogDate(a))
}

func newCatalogRebuild(a *app) *cobra.Command {
	var files bool
	cmd := described("catalog-rebuild", nil)
	cmd.Flags().BoolVar(&files, "files", false, "also list the paths in the snapshots")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if len(args) > 0 && !files {
			return usage("catalog rebuild takes snapshots only with --files")
		}
		return a.rebuildCatalog(ctx, args, files)
	})
}

func (a *app) rebuildCatalog(ctx context.Context, names []string, files bool) error {
	repo, err := a.OpenAnew(ctx)
	if err != nil {
		return err
	}
	v, err := a.readLog(ctx, repo)
	if err != nil {
		return err
	}
	index := repo.NewIndex()
	defer index.Close()
	if _, err := repo.LoadIndex(ctx, v.Log, index, nil); err != nil {
		return err
	}
	m, err := mirror.Of(ctx, repo, v.Log)
	if err != nil {
		return err
	}
	defer m.Close()
	if files {
		if err := a.fillMirror(ctx, repo, m, names); err != nil {
			return err
		}
	}
	if !repo.CanRead() {
		a.Warn("without an identity snapshots are left out")
	}
	counts, err := m.Counts(ctx)
	if err != nil {
		return err
	}
	chunks, err := index.Len(ctx)
	if err != nil {
		return err
	}
	s := message.RebuildOf(counts, int64(chunks), mirror.Path(repo.Cache))
	return errors.Join(a.out.Summary(s, s.Text()), v.Whole(ctx))
}

// fillMirror lists the files of the named snapshots, or of all that pass the flags.
func (a *app) fillMirror(ctx context.Context, repo *catalog.Repository, m *mirror.Mirror, names []string) error {
	v, err := a.look(ctx, repo)
	if err != nil {
		return err
	}
	snapshots, err := v.Choose(names)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		fetcher, err := fetch.New(repo, s.Domain, a.fetchOptions())
		if err != nil {
			return err
		}
		added, err := m.Fill(ctx, s, fetcher.Pages())
		if err != nil {
			return err
		}
		a.out.Note("snapshot %s: %s paths", s.ShortID(), output.Count(int64(added)))
	}
	return nil
}

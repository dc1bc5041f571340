package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/index"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/fetch"
)

func newCatalog(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "catalog",
		Short: "Verify, rebuild and query the catalog of the repository.",
		Example: `  packstone catalog verify
  packstone catalog query "SELECT time, host, bytes FROM snapshots"`,
	}, newCatalogVerify(a), newCatalogRebuild(a), newCatalogQuery(a), newCatalogDate(a))
}

func newCatalogRebuild(a *app) *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use:   "rebuild [SNAPSHOT...]",
		Short: "Drop this machine's cache of the repository, and build it again.",
		Long: `Reads configuration, records and index runs again, and rebuilds the SQLite mirror; this needs an
identity. With --files it also lists every path of the named snapshots, or of all, in the view
files. It keeps the last trees, with which backups compare, and what detects that the storage was
rolled back.`,
		Example: `  packstone catalog rebuild
  packstone catalog rebuild --files latest`,
	}
	cmd.Flags().BoolVar(&files, "files", false, "also list the paths in the snapshots")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if len(args) > 0 && !files {
			return usage("catalog rebuild takes snapshots only with --files")
		}
		return a.rebuildCatalog(ctx, args, files)
	})
}

func (a *app) rebuildCatalog(ctx context.Context, names []string, files bool) error {
	repo, err := a.openAnew(ctx)
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
	return errors.Join(a.printRebuilt(ctx, repo, m, index), v.Whole(ctx))
}

// openAnew opens the repository after what was kept of it is dropped.
func (a *app) openAnew(ctx context.Context) (*catalog.Repository, error) {
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.BypassCache)
	if err != nil {
		return nil, err
	}
	cache := catalog.OpenCache(a.CacheDirectory(repo.Format.Repository))
	cache.Clear()
	if err := mirror.Remove(mirror.Path(cache)); err != nil {
		return nil, err
	}
	repo, _, err = a.OpenRepository(ctx, machine.MayRead|machine.MayWrite)
	return repo, err
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

func (a *app) printRebuilt(ctx context.Context, repo *catalog.Repository, m *mirror.Mirror, index *index.Index) error {
	c, err := m.Counts(ctx)
	if err != nil {
		return err
	}
	chunks, err := index.Len(ctx)
	if err != nil {
		return err
	}
	s := message.Rebuild{
		Records: c.Records, Snapshots: c.Snapshots, IndexRuns: c.IndexRuns, Packs: c.Packs, Chunks: int64(chunks), Files: c.Files,
		Mirror: mirror.Path(repo.Cache),
	}
	a.out.Summary(s, s.Text())
	return a.out.Err()
}

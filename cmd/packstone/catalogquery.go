package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newCatalogQuery(a *app) *cobra.Command {
	var stale bool
	cmd := described("catalog-query", cobra.ExactArgs(1))
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
	if strings.Contains(strings.ToLower(sql), "files") {
		if counts, err := m.Counts(ctx); err == nil && counts.Files == 0 {
			a.out.Note("no snapshot's files are listed yet: run packstone catalog rebuild --files [SNAPSHOT...]")
		}
	}
	answer := func() error {
		return output.Answer(a.out, func(head func([]string) error, row func([]any) error) error { return m.Query(ctx, sql, head, row) })
	}
	if err = answer(); errors.Is(err, mirror.ErrDamaged) && !stale {
		if err := errors.Join(m.Close(), mirror.Remove(mirror.Path(repo.Cache))); err != nil {
			return err
		}
		if m, whole, err = a.mirrorFor(ctx, repo, false); err != nil {
			return err
		}
		err = answer()
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

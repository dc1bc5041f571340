package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/check"
)

func newCatalogVerify(a *app) *cobra.Command {
	cmd := described("catalog-verify", cobra.NoArgs)
	return a.verb(cmd, usesRepository|usesIdentity|usesConcurrency|usesVersions, func(ctx context.Context, _ []string) error { return a.verifyCatalog(ctx) })
}

func (a *app) verifyCatalog(ctx context.Context) error {
	repo, storage, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.BypassCache|machine.EvenBroken)
	if err != nil {
		return err
	}
	report, err := check.Run(ctx, repo, check.Options{Parallel: a.flags.concurrency})
	if err != nil {
		return err
	}
	cache := catalog.OpenCache(a.CacheDirectory(repo.Format.Repository))
	if !a.flags.VersionsAt.IsZero() {
		cache = catalog.OpenCache("") // what is cached is not as of then
	}
	log, err := repo.ReadLog(ctx)
	if err != nil {
		return err
	}
	cached, findings, err := check.CompareCache(ctx, storage, cache.Path("objects"), log.RolledUp)
	if err != nil {
		return err
	}
	m := message.VerifyOf(report, cached, findings)
	for _, f := range m.Findings {
		a.out.Problem(f.Object, "verify", errors.New(f.Error))
	}
	message.TellRemarks(a.out, m.Unchecked, m.Notes)
	err = a.out.Summary(m, m.Text())
	if len(m.Findings) > 0 {
		return exitWith(exitIntegrity, "found %s (listed above)", output.Plural(len(m.Findings), "problem"))
	}
	return err
}

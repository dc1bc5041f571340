package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

func newCatalogDate(a *app) *cobra.Command {
	var claims bool
	cmd := described("catalog-date", cobra.NoArgs)
	cmd.Flags().BoolVar(&claims, "from-claims", false, "accept the dates that the hosts have signed")
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun, func(ctx context.Context, _ []string) error {
		if !claims {
			return usage("catalog date needs --from-claims")
		}
		return a.dateCatalog(ctx)
	})
}

func (a *app) dateCatalog(ctx context.Context) error {
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite)
	if err != nil {
		return err
	}
	v, err := a.readLog(ctx, repo)
	if err != nil {
		return err
	}
	m := message.CatalogDate{DryRun: a.flags.dryRun, Records: len(v.Log.UndatedRecords())}
	if m.DryRun || m.Records == 0 {
		return a.out.Message("catalog_date", m, m.Text())
	}
	m.Records = 0
	for dated := 1; dated > 0; m.Records += dated {
		err := a.decide(ctx, repo, func(s *catalog.Session) (err error) {
			dated, err = s.DateFromClaims(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return a.out.Message("catalog_date", m, m.Text())
}

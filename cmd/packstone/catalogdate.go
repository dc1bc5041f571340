package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// catalogDateMessage is what catalog date prints as JSON.
type catalogDateMessage struct {
	Records int  `json:"records" doc:"How many records were dated, or would be."`
	DryRun  bool `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

func newCatalogDate(a *app) *cobra.Command {
	var claims bool
	cmd := &cobra.Command{
		Use:   "date",
		Short: "Accept the hosts' dates in a repository copied without its own.",
		Long: `Snapshots whose dates are unreliable are "undated", and no rule forgets them. A snapshot is undated
if the storage has lost the dates of its objects, for example after a copy by a tool that does not
keep them, or if its host has backdated it. Accept the hosts' dates only if you trust all hosts:
look at packstone snapshots first. Needs the owner's key.`,
		Example: `  packstone catalog date --from-claims -n
  packstone catalog date --from-claims`,
		Args: cobra.NoArgs,
	}
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
	m := catalogDateMessage{DryRun: a.flags.dryRun, Records: len(v.Log.UndatedRecords())}
	if m.DryRun || m.Records == 0 {
		a.out.Message("catalog_date", m, m.text())
		return a.out.Err()
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
	a.out.Message("catalog_date", m, m.text())
	return a.out.Err()
}

func (m catalogDateMessage) text() string {
	if m.DryRun {
		return fmt.Sprintf("dry run: would date %s as their hosts claim", output.Plural(m.Records, "record"))
	}
	return fmt.Sprintf("dated %s as their hosts claim", output.Plural(m.Records, "record"))
}

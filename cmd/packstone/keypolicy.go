package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/message"
)

func newKeyPolicy(a *app) *cobra.Command {
	var floor, grace, horizon flagvalue.Period
	cmd := described("key-policy", cobra.NoArgs)
	cmd.Flags().Var(&floor, "retention-floor", "keep every snapshot at least this `time`, such as 14d or 36h")
	cmd.Flags().Var(&grace, "grace", "delete forgotten snapshots after this `time`, such as 7d")
	cmd.Flags().Var(&horizon, "horizon", "let packstone keep extend locks to this `time` from now, such as 30d")
	return a.verb(cmd, signsKeys, func(ctx context.Context, _ []string) error {
		return a.keyPolicy(ctx, admin.Protection{Floor: floor.Chosen(), Grace: grace.Chosen(), Horizon: horizon.Chosen()})
	})
}

func (a *app) keyPolicy(ctx context.Context, next admin.Protection) error {
	repo, err := a.OpenAnyKeys(ctx)
	if err != nil {
		return err
	}
	if !a.flags.dryRun && next.Any() {
		owner, err := a.Owner(repo)
		if err != nil {
			return err
		}
		if err := repo.Change(ctx, owner, next.Edit); err != nil {
			return err
		}
	}
	wanted := *repo.Config
	if err := next.Edit(&wanted); err != nil {
		return err
	}
	m, err := message.KeyPolicyOf(&wanted, repo.Config.Number, a.flags.dryRun)
	if err != nil {
		return err
	}
	return a.out.Message("key_policy", m, m.Text())
}

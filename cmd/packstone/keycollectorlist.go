package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newKeyCollectorList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the collectors, with those that were revoked.",
		Example: `  packstone key collector list
  packstone key collector list --json`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions, func(ctx context.Context, _ []string) error {
		repo, err := a.OpenAnyKeys(ctx)
		if err != nil {
			return err
		}
		m, err := a.keyList(ctx, repo)
		if err != nil {
			return err
		}
		return output.List(a.out, m.Collectors, message.CollectorTable(m.Collectors))
	})
}

func newKeyCollectorRevoke(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke NAME",
		Short: "Revoke a collector: ignore what it signs from now on.",
		Long: `What it has forgotten and deleted stays so. Whoever has its key and may delete in the storage can
still do so: first take away its access to the storage. Needs the owner's key.`,
		Example: `  packstone key collector revoke nightly
  packstone key collector revoke nightly --dry-run`,
		Args: cobra.ExactArgs(1),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		return a.revokeCollector(ctx, catalog.WriterName(args[0]))
	})
}

func (a *app) revokeCollector(ctx context.Context, name string) error {
	repo, owner, err := a.OpenAsOwner(ctx)
	if err != nil {
		return err
	}
	last, err := admin.LastOfCollector(ctx, repo, name)
	if err != nil {
		return err
	}
	m := message.CollectorRevoked{Name: name, Config: repo.Config.Number, Last: last, DryRun: a.flags.dryRun}
	if m.DryRun {
		a.out.Message("key_collector_revoke", m, "dry run: would revoke collector "+name)
		return a.out.Err()
	}
	if err := admin.RevokeCollector(ctx, repo, owner, name, last); err != nil {
		return err
	}
	m.Config = repo.Config.Number
	a.out.Note("revoked collector %s with configuration %d", name, m.Config)
	a.out.Message("key_collector_revoke", m, "nothing that it signs from now on counts\ntake away its access to the storage too")
	return a.out.Err()
}

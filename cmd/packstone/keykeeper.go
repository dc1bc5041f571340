package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newKeyKeeper(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "keeper",
		Short: "Admit and list keepers, which extend locks.",
		Example: `  packstone key keeper add guard -o keeper.key
  packstone key keeper list`,
	}, newKeyKeeperAdd(a), newKeyKeeperList(a))
}

func newKeyKeeperAdd(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Admit a keeper, and print its key file.",
		Long: `Where packstone keep runs, PACKSTONE_COLLECTOR_FILE, or keys.collector_file in the settings, names
the file. A keeper sees which packs are needed, but reads neither names nor contents, and signs
nothing: it can neither forget nor delete. It needs credentials of the storage of its own, as
packstone doctor --print-policy keeper prints them.

Needs the owner's key, and an identity or a host's key file.`,
		Example: `  packstone key keeper add guard -o keeper.key
  packstone key keeper add guard | ssh guard 'cat > keeper.key'`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the key to this `file` instead of printing it")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		return a.admit(ctx, admittance{role: "keeper", sign: admin.AdmitKeeper}, catalog.WriterName(args[0]), file)
	})
}

func newKeyKeeperList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keepers.",
		Example: `  packstone key keeper list
  packstone key keeper list --json`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast, func(ctx context.Context, _ []string) error {
		repo, err := a.OpenAnyKeys(ctx)
		if err != nil {
			return err
		}
		rows, table := []message.Keeper{}, output.Table{Head: []string{"NAME", "KEY"}, Cut: []int{0, 1}}
		for _, m := range repo.Config.Keepers {
			rows = append(rows, message.Keeper{Name: admin.NameOf(m), Key: m.Key})
			table.Rows = append(table.Rows, []string{admin.NameOf(m), m.Key})
		}
		return output.List(a.out, rows, table)
	})
}

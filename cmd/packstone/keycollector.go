package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
)

func newKeyCollector(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "collector",
		Short: "Admit, list and revoke collectors, which forget and prune.",
		Example: `  packstone key collector add nightly -o collector.key
  packstone key collector revoke nightly`,
	}, newKeyCollectorAdd(a), newKeyCollectorList(a), newKeyCollectorRevoke(a))
}

func newKeyCollectorAdd(a *app) *cobra.Command {
	var file string
	var repack, attest bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Admit a collector, and print its key file.",
		Long: `Where packstone forget and prune run, PACKSTONE_COLLECTOR_FILE, or keys.collector_file in the
settings, names the file. A collector sees which packs are needed, but reads neither names nor
contents. The retention floor and the grace period that the owner has signed bind it. Whoever holds
the key and may delete in the storage can delete everything there: protect against that with the
storage's own versions and locks.

Needs the owner's key, and an identity or a host's key file. The repository then needs a version of
packstone that knows how to forget.`,
		Example: `  packstone key collector add nightly -o collector.key
  packstone key collector add nightly | ssh backup 'cat > collector.key'`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the key to this `file` instead of printing it")
	cmd.Flags().BoolVar(&repack, "repack", false, "allow packstone prune --repack with this key, together with an identity; hosts rely on what it has copied")
	cmd.Flags().BoolVar(&attest, "attest", false, "allow packstone check --attest with this key, together with an identity; the same as --repack")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		by := admittance{role: "collector", sign: admin.AdmitCollector}
		if repack || attest {
			by.member.Roles = []string{catalog.RoleVerifier}
		}
		return a.admit(ctx, by, catalog.WriterName(args[0]), file)
	})
}

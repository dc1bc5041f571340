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
		Short: "Admit who forgets snapshots and deletes what is dead, list and revoke them.",
		Example: `  packstone key collector add nightly -o collector.key
  packstone key collector revoke nightly`,
	}, newKeyCollectorAdd(a), newKeyCollectorList(a), newKeyCollectorRevoke(a))
}

func newKeyCollectorAdd(a *app) *cobra.Command {
	var file string
	var repack, attest bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Admit a collector, and print the key file with which it forgets and deletes.",
		Long: `PACKSTONE_COLLECTOR_FILE, or keys.collector_file in the settings, names the file where packstone forget and prune run. With it they see
which packs are needed, and read neither names nor contents. It is bound by the retention floor and the grace that the owner has signed.
Whoever holds it, and may delete in the storage, can delete everything there: that is what the storage's own versions and locks are for.

It needs the owner's key, and an identity or the key file of a host. From then on the repository needs a version of packstone that
knows what forgetting is.`,
		Example: `  packstone key collector add nightly -o collector.key
  packstone key collector add nightly | ssh backup 'umask 077; cat > /etc/packstone/collector.key'`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the key file to `file` instead of printing it")
	cmd.Flags().BoolVar(&repack, "repack", false, "let it copy packs anew with packstone prune --repack, where it has an identity beside it: hosts rely on what it has copied")
	cmd.Flags().BoolVar(&attest, "attest", false, "let it say with packstone check --attest, where it has an identity beside it, which packs are sound: hosts rely on that; the same as --repack")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		return a.addCollector(ctx, catalog.WriterName(args[0]), file, repack || attest)
	})
}

func (a *app) addCollector(ctx context.Context, name, file string, verifier bool) error {
	repo, owner, err := a.openAsOwner(ctx)
	if err != nil {
		return err
	}
	key, err := admin.NewCollectorKey(repo, name)
	if err != nil {
		return err
	}
	m := admission{Name: name, Key: key.Signer.Verifier().Text(), Config: repo.Config.Number, DryRun: a.flags.dryRun}
	if m.DryRun {
		a.out.Message("key_collector_add", m, "dry run: would admit collector "+name)
		return a.out.Err()
	}
	member := catalog.Member{Key: m.Key}
	if verifier {
		member.Roles = []string{catalog.RoleVerifier}
	}
	err = m.handOver(key, file, repo, func(keep admin.Keep) error { return admin.AdmitCollector(ctx, repo, owner, member, keep) })
	if err != nil {
		return err
	}
	a.out.Note("admitted collector %s with configuration %d", name, m.Config)
	a.out.Message("key_collector_add", m, m.text())
	return a.out.Err()
}

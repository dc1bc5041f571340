package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

type initOptions struct {
	classic    bool
	sameDomain string
	force      bool
	floor      flagvalue.Period
}

func newInit(a *app) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create a repository, and its keys where there are none.",
		Long: `On a machine without keys it creates all of them: the identity that restores, the owner's key that
admits other hosts, and this host's own key. It lists the files to move to a safe place. With
--recipient only those recipients can restore, and no identity is made.`,
		Example: `  packstone init -r s3://offsite/platform
  packstone init -r /mnt/backup/platform -R age1pq1…`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.classic, "classic", false, "use X25519 keys instead of hybrid post-quantum ones")
	cmd.Flags().StringVar(&o.sameDomain, "same-domain-as", "", "share a deduplication domain with this `repository`, so that copies between the two deduplicate")
	cmd.Flags().BoolVar(&o.force, "force", false, "create it in a directory that contains other files")
	cmd.Flags().Var(&o.floor, "retention-floor", "keep every snapshot at least this `time` (default 14d); packstone key policy changes it")
	return a.verb(cmd, usesRepository|usesIdentity|usesRecipients|usesDryRun, func(ctx context.Context, _ []string) error {
		return a.initialize(ctx, o)
	})
}

// initialize makes a repository and prints what was made.
func (a *app) initialize(ctx context.Context, o initOptions) error {
	if len(a.flags.AcceptOwner) > 0 && o.sameDomain == "" {
		return usage("init makes the owner's key known itself; --accept-owner is for the repository that --same-domain-as names")
	}
	address, err := a.Repository()
	if err != nil {
		return err
	}
	if a.flags.dryRun {
		if err := a.RefuseFound(ctx, address, machine.FoundOptions{Force: o.force}); err != nil {
			return err
		}
		a.out.Note("would make a repository in %s; nothing was changed: this was a dry run", address)
		return nil
	}
	made, err := a.makeRepository(ctx, o)
	if err != nil {
		return err
	}
	a.out.Message("init", made, made.Text())
	return a.out.Err()
}

// makeRepository makes what is missing of the keys, and the repository.
func (a *app) makeRepository(ctx context.Context, o initOptions) (m message.Founded, err error) {
	address, err := a.Repository()
	if err != nil {
		return m, err
	}
	made, err := a.Found(ctx, address, machine.FoundOptions{Classic: o.classic, Force: o.force, SameDomain: o.sameDomain, Floor: o.floor.Chosen()})
	if err != nil {
		return m, err
	}
	m = message.Founded{
		Repository: address.String(), ID: made.ID, Owner: made.Owner.Text(), Print: made.Owner.Fingerprint().String(),
		Recipients: made.Recipients, MoveAway: made.MoveAway, Reused: made.Reused, WriterFile: made.WriterFile, PinIn: made.PinIn,
	}
	if len(m.PinIn) > 0 {
		m.Pin = made.Pin.Line()
	}
	return m, nil
}

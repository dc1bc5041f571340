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
	cmd := described("init", cobra.NoArgs)
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
	return a.out.Message("init", made, made.Text())
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
	return message.FoundedOf(address.String(), made), nil
}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
)

// initMessage is what init prints as JSON.
type initMessage struct {
	Repository string   `json:"repository" doc:"The repository's address."`
	ID         string   `json:"id" doc:"The repository's id."`
	Owner      string   `json:"owner" doc:"The owner's public key."`
	Print      string   `json:"owner_fingerprint" doc:"A short form of it, by which machines that do not know the repository are told to trust it."`
	Recipients []string `json:"recipients" doc:"Who can restore."`
	MoveAway   []string `json:"move_away" doc:"Key files that were made here and belong somewhere else."`
	Reused     []string `json:"reused,omitempty" doc:"Key files that were here already and are this repository's too: who has them restores and owns it."`
	WriterFile string   `json:"writer_file" doc:"The key that this host backs up with."`
	Pin        string   `json:"pin,omitempty" doc:"The line by which an identity file trusts the owner, if it could not be put there."`
	PinIn      []string `json:"pin_in,omitempty" doc:"Where it belongs."`
}

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
	a.out.Message("init", made, made.text())
	return a.out.Err()
}

func (m initMessage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "made repository %s in %s\n", m.ID, m.Repository)
	fmt.Fprintf(&b, "this host backs up with %s\n", m.WriterFile)
	fmt.Fprintf(&b, "the owner's fingerprint is %s: note it where the identity is kept\n", m.Print)
	if len(m.Reused) > 0 {
		fmt.Fprintf(&b, "this repository uses keys that were here already: %s. For other ones, name a recipient with -R and an owner's key with PACKSTONE_OWNER_FILE\n",
			strings.Join(m.Reused, ", "))
	}
	if m.Pin != "" {
		fmt.Fprintf(&b, "\nPut this line into %s. Without it a restore elsewhere has to name the fingerprint with --accept-owner:\n%s\n",
			strings.Join(m.PinIn, " and "), m.Pin)
	}
	if len(m.MoveAway) > 0 {
		b.WriteString("\nMove these files to a safe place away from this machine, and keep a second copy. Without an identity nothing comes back:\n")
		for _, name := range m.MoveAway {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// makeRepository makes what is missing of the keys, and the repository.
func (a *app) makeRepository(ctx context.Context, o initOptions) (m initMessage, err error) {
	address, err := a.Repository()
	if err != nil {
		return m, err
	}
	found := machine.FoundOptions{Classic: o.classic, Force: o.force, SameDomain: o.sameDomain}
	if o.floor.Given {
		found.Floor = &o.floor.Length
	}
	made, err := a.Found(ctx, address, found)
	if err != nil {
		return m, err
	}
	m = initMessage{
		Repository: address.String(), ID: made.ID, Owner: made.Owner.Text(), Print: made.Owner.Fingerprint().String(),
		Recipients: made.Recipients, MoveAway: made.MoveAway, Reused: made.Reused, WriterFile: made.WriterFile, PinIn: made.PinIn,
	}
	if len(m.PinIn) > 0 {
		m.Pin = made.Pin.Line()
	}
	return m, nil
}

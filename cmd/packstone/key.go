package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

func newKey(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "key",
		Short: "Manage who can read, and which hosts may write.",
		Example: `  packstone key list
  packstone key writer add db1 -o db1.key`,
	}, newKeyGenerate(a), newKeyList(a), newKeyAdd(a), newKeyRemove(a), newKeyRotate(a), newKeySheet(a), newKeySplit(a), newKeyJoin(a), newKeyWriter(a), newKeyCollector(a), newKeyKeeper(a), newKeyPolicy(a))
}

func newKeyAdd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add RECIPIENT...",
		Short: "Add recipients: they can read all backups, old and new.",
		Long: `Needs the owner's key, and an identity that can read the repository. No pack is rewritten: the keys
of old packs are encrypted to the new recipients in separate objects. If a backup ran meanwhile,
repeat the command with the same recipients.`,
		Example: `  packstone key add age1pq1…
  packstone key add "$(age-keygen -y second.txt)" -i first.txt`,
		Args: cobra.MinimumNArgs(1),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		named, err := recipientTexts(args)
		if err != nil {
			return err
		}
		return a.changeRecipients(ctx, func(now []string) ([]string, message.Recipients, error) {
			next, added := admin.WithRecipients(now, named)
			return next, message.Recipients{Added: added}, nil
		})
	})
}

func newKeyRemove(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove RECIPIENT...",
		Short: "Remove recipients: they cannot read what is written from now on.",
		Long: `Removed recipients can still read older backups if they can reach the storage: they may have kept
the keys of old packs. To shut them out, take away their access to the storage too. RECIPIENT may be
cut off, or as key list shows it.`,
		Example: `  packstone key remove age1pq1…
  packstone key remove age1pq1… --dry-run`,
		Args: cobra.MinimumNArgs(1),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		return a.changeRecipients(ctx, func(now []string) ([]string, message.Recipients, error) {
			named, err := admin.RecipientsNamed(now, args)
			if err != nil {
				return nil, message.Recipients{}, err
			}
			next, err := admin.WithoutRecipients(now, named)
			return next, message.Recipients{Removed: named}, err
		})
	})
}

// changeRecipients sets the recipients that change makes of those now in force.
func (a *app) changeRecipients(ctx context.Context, change func(now []string) ([]string, message.Recipients, error)) error {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite)
	if err != nil {
		return err
	}
	owner, err := a.Owner(repo)
	if err != nil {
		return err
	}
	next, m, err := change(repo.Config.Recipients)
	if err != nil {
		return err
	}
	recipients, err := admin.ParseRecipients(next)
	if err != nil {
		return err
	}
	if !a.flags.dryRun {
		if err := repo.SetRecipients(ctx, owner, recipients); err != nil {
			return err
		}
	}
	m.Config, m.Recipients, m.DryRun = repo.Config.Number, next, a.flags.dryRun
	if len(m.Added) > 0 {
		m.Pin = admin.PinOf(repo).Line()
	}
	a.out.Message("key_recipients", m, m.Text())
	return a.out.Err()
}

// recipientTexts checks recipients of the command line and returns their texts.
func recipientTexts(args []string) ([]string, error) {
	recipients, err := admin.ParseRecipients(args)
	if err != nil {
		return nil, err
	}
	return admin.RecipientTexts(recipients)
}

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

// What verbs use that look at keys, and that change who may do what.
const (
	usesKeys  = usesRepository | usesIdentity | usesPast
	looksKeys = usesKeys | usesVersions
	signsKeys = usesKeys | usesDryRun
)

func newKey(a *app) *cobra.Command {
	return group(described("key", nil), newKeyGenerate(a), newKeyList(a), newKeyAdd(a), newKeyRemove(a), newKeyRotate(a), newKeySheet(a), newKeySplit(a), newKeyJoin(a),
		group(described("key-writer", nil), newKeyWriterAdd(a), newKeyWriterBind(a), newKeyWriterList(a), newKeyRevoke(a, admin.KindWriter)),
		group(described("key-collector", nil), newKeyCollectorAdd(a), newKeyCollectorList(a), newKeyRevoke(a, admin.KindCollector)),
		group(described("key-keeper", nil), newKeyKeeperAdd(a), newKeyKeeperList(a)), newKeyPolicy(a))
}

func newKeyAdd(a *app) *cobra.Command {
	return a.verb(described("key-add", cobra.MinimumNArgs(1)), signsKeys, func(ctx context.Context, args []string) error {
		named, err := admin.NormalRecipients(args)
		if err != nil {
			return err
		}
		return a.changeRecipients(ctx, func(now []string) (admin.RecipientChange, error) { return admin.WithRecipients(now, named), nil })
	})
}

func newKeyRemove(a *app) *cobra.Command {
	return a.verb(described("key-remove", cobra.MinimumNArgs(1)), signsKeys, func(ctx context.Context, args []string) error {
		return a.changeRecipients(ctx, func(now []string) (admin.RecipientChange, error) { return admin.WithoutRecipients(now, args) })
	})
}

// changeRecipients makes a change of the recipients that are now in force.
func (a *app) changeRecipients(ctx context.Context, change func(now []string) (admin.RecipientChange, error)) error {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite)
	if err != nil {
		return err
	}
	owner, err := a.Owner(repo)
	if err != nil {
		return err
	}
	next, err := change(repo.Config.Recipients)
	if err != nil {
		return err
	}
	if !a.flags.dryRun {
		if err := next.Sign(ctx, repo, owner); err != nil {
			return err
		}
	}
	m := message.RecipientsOf(repo, next, a.flags.dryRun)
	return a.out.Message("key_recipients", m, m.Text())
}

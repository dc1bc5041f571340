package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
)

func newKeyList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List readers, writers and collectors, and which keys are at hand.",
		Example: `  packstone key list
  packstone key list --json`,
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
		a.out.Message("key_list", m, m.Text())
		return a.out.Err()
	})
}

// keyList lists who may do what with a repository, and whose keys are at hand.
func (a *app) keyList(ctx context.Context, repo *catalog.Repository) (m message.KeyList, err error) {
	atHand, err := a.PublicKeys(ctx)
	if err != nil {
		return m, err
	}
	_, notOwner := a.Owner(repo)
	return message.KeyListOf(repo, atHand, notOwner == nil), nil
}

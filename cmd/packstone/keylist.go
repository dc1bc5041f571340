package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

// keyLister makes a verb that lists of a repository who may do what.
func (a *app) keyLister(name string, used uses, list func(ctx context.Context, repo *catalog.Repository, m message.KeyList) error) *cobra.Command {
	return a.verb(described(name, cobra.NoArgs), used, func(ctx context.Context, _ []string) error {
		repo, err := a.OpenAnyKeys(ctx)
		if err != nil {
			return err
		}
		atHand, err := a.PublicKeys(ctx)
		if err != nil {
			return err
		}
		_, notOwner := a.Owner(repo)
		return list(ctx, repo, message.KeyListOf(repo, atHand, notOwner == nil))
	})
}

func newKeyList(a *app) *cobra.Command {
	return a.keyLister("key-list", looksKeys, func(_ context.Context, _ *catalog.Repository, m message.KeyList) error {
		return a.out.Message("key_list", m, m.Text())
	})
}

func newKeyWriterList(a *app) *cobra.Command {
	return a.keyLister("key-writer-list", looksKeys, func(ctx context.Context, repo *catalog.Repository, m message.KeyList) error {
		log, err := repo.ReadLog(ctx)
		if err != nil {
			return err
		}
		m.SeeWriters(log.LastSeen())
		return output.List(a.out, m.Writers, message.WriterTable(m.Writers))
	})
}

func newKeyCollectorList(a *app) *cobra.Command {
	return a.keyLister("key-collector-list", looksKeys, func(_ context.Context, _ *catalog.Repository, m message.KeyList) error {
		return output.List(a.out, m.Collectors, message.CollectorTable(m.Collectors))
	})
}

func newKeyKeeperList(a *app) *cobra.Command {
	return a.keyLister("key-keeper-list", usesKeys, func(_ context.Context, repo *catalog.Repository, _ message.KeyList) error {
		rows, table := message.KeepersOf(repo.Config)
		return output.List(a.out, rows, table)
	})
}

package main

import (
	"context"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/crypto"
)

// admittance is how a collector or a keeper is admitted.
type admittance struct {
	role   string // as people call it
	sign   func(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep admin.Keep) error
	member catalog.Member // what the owner grants; its key is made
}

// admit makes a key for a name, admits it, and hands it over.
func (a *app) admit(ctx context.Context, by admittance, name, file string) error {
	repo, owner, err := a.OpenAsOwner(ctx)
	if err != nil {
		return err
	}
	key, err := admin.NewCollectorKey(repo, name)
	if err != nil {
		return err
	}
	kind := "key_" + by.role + "_add"
	m := message.Admission{Name: name, Key: key.Signer.Verifier().Text(), Config: repo.Config.Number, DryRun: a.flags.dryRun}
	if m.DryRun {
		a.out.Message(kind, m, "dry run: would admit "+by.role+" "+name)
		return a.out.Err()
	}
	by.member.Key = m.Key
	m.Content, err = machine.HandOver(key, file, func(keep admin.Keep) error { return by.sign(ctx, repo, owner, by.member, keep) })
	if err != nil {
		return err
	}
	m.Config, m.File = repo.Config.Number, file
	a.out.Note("admitted %s %s with configuration %d", by.role, name, m.Config)
	a.out.Message(kind, m, m.Text())
	return a.out.Err()
}

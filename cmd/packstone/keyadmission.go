package main

import (
	"context"
	"os"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/crypto"
)

// admission is what key collector add and key keeper add print as JSON, and key writer add among
// other things: who was admitted, and the key file.
type admission struct {
	Name    string `json:"name" doc:"The name that it signs with."`
	Key     string `json:"key" doc:"Its public key."`
	Config  uint64 `json:"config" doc:"The number of the configuration that admits it."`
	File    string `json:"file,omitempty" doc:"The key file that was written."`
	Content string `json:"content,omitempty" doc:"The key file's text, secret, where no file was named."`
	DryRun  bool   `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// handOver admits whom a key file is of, and keeps that file, before, or its text.
func (m *admission) handOver(key interface{ Encode() ([]byte, error) }, file string, repo *catalog.Repository, admit func(keep admin.Keep) error) error {
	text, err := key.Encode()
	if err != nil {
		return err
	}
	var keep admin.Keep
	if file != "" {
		keep = func() (func() error, error) {
			return func() error { return os.Remove(file) }, machine.WriteKey(file, text)
		}
	}
	if err := admit(keep); err != nil {
		return err
	}
	if m.Config, m.File = repo.Config.Number, file; file == "" {
		m.Content = string(text)
	}
	return nil
}

// admittance is how a collector or a keeper is admitted.
type admittance struct {
	role   string // as people call it
	sign   func(ctx context.Context, repo *catalog.Repository, owner crypto.Signer, m catalog.Member, keep admin.Keep) error
	member catalog.Member // what the owner grants; its key is made
}

// admit makes a key for a name, admits it, and hands it over.
func (a *app) admit(ctx context.Context, by admittance, name, file string) error {
	repo, owner, err := a.openAsOwner(ctx)
	if err != nil {
		return err
	}
	key, err := admin.NewCollectorKey(repo, name)
	if err != nil {
		return err
	}
	kind := "key_" + by.role + "_add"
	m := admission{Name: name, Key: key.Signer.Verifier().Text(), Config: repo.Config.Number, DryRun: a.flags.dryRun}
	if m.DryRun {
		a.out.Message(kind, m, "dry run: would admit "+by.role+" "+name)
		return a.out.Err()
	}
	by.member.Key = m.Key
	err = m.handOver(key, file, repo, func(keep admin.Keep) error { return by.sign(ctx, repo, owner, by.member, keep) })
	if err != nil {
		return err
	}
	a.out.Note("admitted %s %s with configuration %d", by.role, name, m.Config)
	a.out.Message(kind, m, m.text())
	return a.out.Err()
}

// text is the key file, or where it was written.
func (m admission) text() string {
	if m.Content != "" {
		return strings.TrimRight(m.Content, "\n")
	}
	return "wrote the key file of " + m.Name + " to " + m.File
}

// openAsOwner opens the repository with the owner's key at hand, to change who may do what.
func (a *app) openAsOwner(ctx context.Context) (repo *catalog.Repository, owner crypto.Signer, err error) {
	if repo, err = a.openWithAnyKeys(ctx); err != nil {
		return nil, owner, err
	}
	owner, err = a.Owner(repo)
	return repo, owner, err
}

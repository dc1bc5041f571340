package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// rotateMessage is what key rotate prints as JSON.
type rotateMessage struct {
	Domain     uint64   `json:"domain" doc:"The number of the new domain, for which key files are made from now on."`
	Config     uint64   `json:"config" doc:"The number of the configuration in force."`
	Packs      int      `json:"packs" doc:"How many packs the old domains have."`
	Bytes      int64    `json:"bytes" doc:"Their bytes: at most so much is stored once more as the hosts move over."`
	Writers    []string `json:"writers" doc:"Writers that go on with their old domain until they get another key file."`
	Collectors []string `json:"collectors" doc:"Collectors that cannot prune once the new domain is written, until they get another key file."`
	DryRun     bool     `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

func newKeyRotate(a *app) *cobra.Command {
	var domain, yes bool
	cmd := &cobra.Command{
		Use:   "rotate --domain",
		Short: "Begin a new domain, whose secret no host has had.",
		Long: `A host's key file has the secret of its domain. Whoever has had it can test which contents are stored in
that domain, even after the host was revoked. A new domain ends that for what is stored from then on;
what was stored before stays known.

Deduplication starts anew: each host stores once more what it has, when it gets a key file for the new
domain, from packstone key writer add HOST --replaces WRITER. Until then it goes on with its old domain.
Old snapshots stay, and are read as before. Needs the owner's key, and an identity. It shows the cost,
and asks.`,
		Example: `  packstone key rotate --domain --dry-run
  packstone key rotate --domain --yes`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&domain, "domain", false, "make a new domain")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, _ []string) error {
		if !domain {
			return usage("say what to rotate: --domain")
		}
		return a.rotateDomain(ctx, yes)
	})
}

func (a *app) rotateDomain(ctx context.Context, yes bool) error {
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MayWrite)
	if err != nil {
		return err
	}
	owner, err := a.Owner(repo)
	if err != nil {
		return err
	}
	packs, bytes, err := repo.Stored(ctx)
	if err != nil {
		return err
	}
	m := rotateMessage{
		Domain: uint64(len(repo.Config.Domains)) + 1, Config: repo.Config.Number, Packs: packs, Bytes: bytes, DryRun: a.flags.dryRun,
		Writers: admin.Active(repo.Config.Writers), Collectors: admin.Active(repo.Config.Collectors),
	}
	if !m.DryRun {
		if err := a.confirmRotation(m, yes); err != nil {
			return err
		}
		if err := repo.AddDomain(ctx, owner); err != nil {
			return err
		}
		m.Config = repo.Config.Number
	}
	a.out.Message("key_rotate", m, m.text())
	return a.out.Err()
}

// confirmRotation shows what a new domain costs, and asks unless the answer is known.
func (a *app) confirmRotation(m rotateMessage, yes bool) error {
	if yes {
		return nil
	}
	if !a.CanAsk() {
		return catalog.Refuse("a new domain costs up to %s, and there is no terminal to ask on: look at --dry-run, and add --yes", output.Bytes(m.Bytes))
	}
	ok, err := a.Confirm(strings.Split(m.cost(), "\n"))
	if err == nil && !ok {
		err = catalog.Refuse("nothing was changed")
	}
	return err
}

// cost is what a new domain costs and does not do.
func (m rotateMessage) cost() string {
	return fmt.Sprintf("what is stored now stays known to whoever has had a host's key file, and is read as before\n"+
		"deduplication starts anew: up to %s in %s are stored once more, as the hosts move over", output.Bytes(m.Bytes), output.Plural(m.Packs, "pack"))
}

func (m rotateMessage) text() string {
	var b strings.Builder
	if m.DryRun {
		fmt.Fprintf(&b, "dry run: would make domain %d\n", m.Domain)
	} else {
		fmt.Fprintf(&b, "made domain %d with configuration %d\n", m.Domain, m.Config)
	}
	b.WriteString(m.cost())
	for _, name := range m.Writers {
		fmt.Fprintf(&b, "\nwriter %s moves over with: packstone key writer add %s --replaces %s -o FILE", name, name, name)
	}
	for _, name := range m.Collectors {
		fmt.Fprintf(&b, "\ncollector %s cannot prune what is stored in it: admit another one with packstone key collector add, and revoke this one", name)
	}
	return b.String()
}

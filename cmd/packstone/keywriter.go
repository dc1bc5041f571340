package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/output"
)

// writerAddMessage is what key writer add prints as JSON.
type writerAddMessage struct {
	admission
	Hosts []string `json:"hosts" doc:"Patterns of the hosts that its snapshots may be of."`
	Group string   `json:"group,omitempty" doc:"The group whose data it relies on; without one on its own alone."`
	Roles []string `json:"roles,omitempty" doc:"What else it may do."`
}

// writerRevokeMessage is what key writer revoke prints as JSON.
type writerRevokeMessage struct {
	Name   string            `json:"name" doc:"The name that the host signed with."`
	Config uint64            `json:"config" doc:"The number of the configuration that revokes it."`
	Last   map[string]uint64 `json:"last_valid" doc:"By lane, its last record that counts."`
	DryRun bool              `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

func newKeyWriter(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "writer",
		Short: "Admit, bind, list and revoke the hosts that back up.",
		Example: `  packstone key writer add db1 -o db1.key
  packstone key writer revoke db1`,
	}, newKeyWriterAdd(a), newKeyWriterBind(a), newKeyWriterList(a), newKeyWriterRevoke(a))
}

type writerAddOptions struct {
	output string
	memberFlags
}

func newKeyWriterAdd(a *app) *cobra.Command {
	var o writerAddOptions
	cmd := &cobra.Command{
		Use:   "add HOST",
		Short: "Admit a host, and print its key file.",
		Long: `The host needs only this file, named by PACKSTONE_WRITER_FILE, and the repository's address. With it
the host can back up and deduplicate, but read nothing, not even its own backups, and delete nothing.
It may back up HOST alone, or the hosts of --hosts; its snapshots of other hosts do not count. Needs
the owner's key, and an identity or the key file of a host that is already admitted.

` + whatSharingTrusts,
		Example: `  packstone key writer add db1 -o db1.key
  packstone key writer add web-1 --hosts 'web-*' --group web > web-1.key`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the key to this `file` instead of printing it")
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		member, err := o.memberOf(args[0])
		if err != nil {
			return err
		}
		return a.addWriter(ctx, catalog.WriterName(args[0]), member, o.output)
	})
}

func (a *app) addWriter(ctx context.Context, name string, member catalog.Member, file string) error {
	repo, owner, err := a.openAsOwner(ctx)
	if err != nil {
		return err
	}
	if free := admin.FreeName(repo, name); free != name {
		if err := refuseSecond(repo, name); err != nil {
			return err
		}
		a.out.Note("the key of %s was revoked, and its name stays with what it has signed: the new key is that of writer %s, and speaks for the same host", name, free)
		name = free
	}
	key, err := admin.NewWriterKey(repo, name)
	if err != nil {
		return err
	}
	member.Key = key.Signer.Verifier().Text()
	m := writerAddMessage{
		admission{Name: name, Key: member.Key, Config: repo.Config.Number, DryRun: a.flags.dryRun}, member.Hosts, member.Group, member.Roles,
	}
	if a.flags.dryRun {
		a.out.Message("key_writer_add", m, "dry run: would admit writer "+name+" for "+strings.Join(member.Hosts, ", "))
		return a.out.Err()
	}
	err = m.handOver(key, file, repo, func(keep admin.Keep) error { return admin.Admit(ctx, repo, owner, member, keep) })
	if err != nil {
		return err
	}
	a.out.Note("admitted writer %s for %s with configuration %d", name, strings.Join(member.Hosts, ", "), m.Config)
	a.tellNameless(member)
	a.out.Message("key_writer_add", m, m.text())
	return a.out.Err()
}

// refuseSecond refuses another key for a host whose key was made anew already and is in force.
func refuseSecond(repo *catalog.Repository, name string) error {
	for _, m := range repo.Config.Writers {
		if m.Revoked == nil && strings.HasPrefix(admin.NameOf(m), name+"-") && slices.Equal(m.Hosts, admin.HostsOf(name)) {
			return catalog.Refuse("%s is admitted already, with the key of writer %s; revoke that first, or give the host its key file", name, admin.NameOf(m))
		}
	}
	return nil
}

func newKeyWriterList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the hosts that may back up, with those that were revoked.",
		Example: `  packstone key writer list
  packstone key writer list --json`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions, func(ctx context.Context, _ []string) error {
		repo, err := a.openWithAnyKeys(ctx)
		if err != nil {
			return err
		}
		m, err := a.keyList(ctx, repo)
		if err != nil {
			return err
		}
		table := output.Table{Head: []string{"NAME", "HOSTS", "GROUP", "STATE", "KEY"}, Cut: []int{0, 1, 2, 4}}
		for _, row := range m.Writers {
			table.Rows = append(table.Rows, []string{row.Name, row.hosts(), output.OrDash(row.Group), row.state(), row.Key})
		}
		return output.List(a.out, m.Writers, table)
	})
}

func (r memberRow) state() string {
	state := "admitted"
	switch {
	case r.Revoked:
		state = "revoked"
	case r.Here:
		state = "key at hand"
	}
	return strings.Join(append([]string{state}, r.Roles...), ", ")
}

// hosts are the patterns of the hosts that a writer may speak for.
func (r memberRow) hosts() string {
	if r.Unbound {
		return "unbound"
	}
	return output.OrDash(strings.Join(r.Hosts, ","))
}

func newKeyWriterRevoke(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke HOST",
		Short: "Revoke a host: ignore what it writes from now on, keep its snapshots.",
		Long: `The host keeps what its key file told it: as long as it can read the storage, it can test whether
the repository contains a content that it knows. Take away its access to the storage too.`,
		Example: `  packstone key writer revoke db1
  packstone key writer revoke db1 --dry-run`,
		Args: cobra.ExactArgs(1),
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		return a.revokeWriter(ctx, catalog.WriterName(args[0]))
	})
}

func (a *app) revokeWriter(ctx context.Context, name string) error {
	repo, w, err := a.openWriter(ctx, name)
	if err != nil {
		return err
	}
	m := writerRevokeMessage{Name: name, Last: w.Last(), Config: repo.Config.Number, DryRun: a.flags.dryRun}
	if a.flags.dryRun {
		a.out.Message("key_writer_revoke", m, "dry run: would revoke writer "+name)
		return a.out.Err()
	}
	if err := w.Revoke(ctx); err != nil {
		return err
	}
	m.Config = repo.Config.Number
	a.out.Message("key_writer_revoke", m, m.text())
	return a.out.Err()
}

func (m writerRevokeMessage) text() string {
	records := uint64(0)
	for _, n := range m.Last {
		records += n
	}
	return fmt.Sprintf("revoked writer %s with configuration %d: its %s stay, and what it writes from now on is ignored\n"+
		"take away its access to the storage too", m.Name, m.Config, output.Plural(records, "record"))
}

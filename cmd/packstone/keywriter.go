package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

func newKeyWriter(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "writer",
		Short: "Admit, bind, list and revoke the hosts that back up.",
		Example: `  packstone key writer add db1 -o db1.key
  packstone key writer revoke db1`,
	}, newKeyWriterAdd(a), newKeyWriterBind(a), newKeyWriterList(a), newKeyWriterRevoke(a))
}

type writerAddOptions struct {
	output, replaces string
	given            func(flag string) bool
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

--replaces OLD admits the host in the place of writer OLD, with OLD's hosts, group and roles, and
revokes OLD, whose snapshots stay. The new key relies on what OLD has stored; so if OLD's key was
stolen, use key writer revoke and add instead.

` + whatSharingTrusts,
		Example: `  packstone key writer add web-1 --hosts 'web-*' --group web > web-1.key
  packstone key writer add db1 --replaces db1 -o db1.key`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the key to this `file` instead of printing it")
	cmd.Flags().StringVar(&o.replaces, "replaces", "", "the `writer` whose place it takes, and that is revoked")
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesDryRun, func(ctx context.Context, args []string) error {
		o.given = cmd.Flags().Changed
		if o.replaces != "" {
			o.replaces = catalog.WriterName(o.replaces)
		}
		member, err := o.memberOf(args[0])
		if err != nil {
			return err
		}
		return a.addWriter(ctx, catalog.WriterName(args[0]), member, o)
	})
}

func (a *app) addWriter(ctx context.Context, name string, member catalog.Member, o writerAddOptions) error {
	repo, owner, err := a.OpenAsOwner(ctx)
	if err != nil {
		return err
	}
	free, err := admin.NextName(repo, name, o.replaces)
	if err != nil {
		return err
	}
	if free != name {
		a.out.Note("the name %s stays with what its key has signed: the new key is that of writer %s, and speaks for the same host", name, free)
		name = free
	}
	if o.replaces != "" {
		if member, err = o.successor(repo, member); err != nil {
			return err
		}
	}
	key, err := admin.NewWriterKey(repo, name)
	if err != nil {
		return err
	}
	member.Key = key.Signer.Verifier().Text()
	m := message.WriterAdded{
		Admission: message.Admission{Name: name, Key: member.Key, Config: repo.Config.Number, DryRun: a.flags.dryRun},
		Hosts:     member.Hosts, Group: member.Group, Roles: member.Roles, Replaces: member.Replaces,
	}
	if a.flags.dryRun {
		a.out.Message("key_writer_add", m, "dry run: would admit writer "+name+" for "+strings.Join(member.Hosts, ", "))
		return a.out.Err()
	}
	admit := admin.Admit
	if member.Replaces != "" {
		admit = admin.Replace
	}
	m.Content, err = machine.HandOver(key, o.output, func(keep admin.Keep) error { return admit(ctx, repo, owner, member, keep) })
	if err != nil {
		return err
	}
	m.Config, m.File = repo.Config.Number, o.output
	if member.Replaces != "" {
		a.out.Note("writer %s is revoked: its snapshots stay; take away its access to the storage", member.Replaces)
	}
	a.out.Note("admitted writer %s for %s with configuration %d", name, strings.Join(member.Hosts, ", "), m.Config)
	a.tellNameless(member)
	a.out.Message("key_writer_add", m, m.Text())
	return a.out.Err()
}

// successor is the writer that takes the place of another one. What flags say of it counts.
func (o *writerAddOptions) successor(repo *catalog.Repository, wanted catalog.Member) (catalog.Member, error) {
	member, err := admin.Successor(repo, o.replaces)
	if o.given("hosts") || member.Hosts == nil {
		member.Hosts = wanted.Hosts
	}
	if o.given("group") {
		member.Group = wanted.Group
	}
	if o.given("role") {
		member.Roles = wanted.Roles
	}
	return member, err
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
		repo, err := a.OpenAnyKeys(ctx)
		if err != nil {
			return err
		}
		m, err := a.keyList(ctx, repo)
		if err != nil {
			return err
		}
		log, err := repo.ReadLog(ctx)
		if err != nil {
			return err
		}
		seen := log.LastSeen()
		for i := range m.Writers {
			m.Writers[i].LastSeen = output.Moment(seen[m.Writers[i].Name])
		}
		return output.List(a.out, m.Writers, message.WriterTable(m.Writers))
	})
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
	m := message.WriterRevoked{Name: name, Last: w.Last(), Config: repo.Config.Number, DryRun: a.flags.dryRun}
	if a.flags.dryRun {
		a.out.Message("key_writer_revoke", m, "dry run: would revoke writer "+name)
		return a.out.Err()
	}
	if err := w.Revoke(ctx); err != nil {
		return err
	}
	m.Config = repo.Config.Number
	a.out.Message("key_writer_revoke", m, m.Text())
	return a.out.Err()
}

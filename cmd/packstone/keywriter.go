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
		Short: "Admit hosts that back up, say what they may speak for, list and revoke them.",
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
		Short: "Admit a host, and print the key file with which it backs up.",
		Long: `The file and the repository's address are all that the host needs: PACKSTONE_WRITER_FILE names the file there. With it the host can
back up and deduplicate; it can read nothing, not even its own backups, and delete nothing. Its snapshots may be of HOST alone, or of
what --hosts says: those of other hosts do not count. It needs the owner's key, and an identity or the key file of a host that is
admitted already.

` + whatSharingTrusts,
		Example: `  packstone key writer add db1 -o db1.key
  packstone key writer add db1 | ssh db1 'umask 077; cat > /etc/packstone/writer.key'`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the key file to `file` instead of printing it")
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
		Short: "List the hosts that may back up, and those that were revoked.",
		Example: `  packstone key writer list
  packstone key writer list --json`,
		Args: cobra.NoArgs,
	}
	return a.verb(cmd, usesRepository|usesIdentity|usesPast, func(ctx context.Context, _ []string) error {
		repo, err := a.openWithAnyKeys(ctx)
		if err != nil {
			return err
		}
		m, err := a.keyList(ctx, repo)
		if err != nil {
			return err
		}
		table := output.Table{Head: []string{"NAME", "HOSTS", "GROUP", "STATE", "KEY"}}
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
		Short: "Let nothing count that a host writes from now on; its snapshots stay.",
		Long: `What the host has written until now counts on. It keeps what its key file told it: it can test whether a content that it knows is in
the repository, as long as it can read the storage. Take away its access to the storage too.`,
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
	return fmt.Sprintf("revoked writer %s with configuration %d: its %d records stay, nothing that it writes from now on counts\n"+
		"take away its access to the storage too", m.Name, m.Config, records)
}

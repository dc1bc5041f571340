package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

// whatSharingTrusts says what one lets oneself in for by a group.
const whatSharingTrusts = `Hosts of one --group store common content once, so each relies on what the others say is stored:
whoever steals the key of one can list content that is not there; the next backup of another host
does not store that content, and its restore fails. A host without a group relies only on itself.`

// memberFlags say what a writer may do.
type memberFlags struct {
	hosts, roles []string
	group        string
}

func (m *memberFlags) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&m.hosts, "hosts", nil, "`patterns` of hosts that it may back up, such as db1,web-*; * for any")
	flags.StringVar(&m.group, "group", "", "`name` of the group whose data the host relies on (default none: only its own)")
	flags.StringSliceVar(&m.roles, "role", nil, "another `role`: backdate allows it to make snapshots of an earlier time")
}

func (m *memberFlags) check() error {
	if err := catalog.CheckHosts(m.hosts); err != nil {
		return usage("--hosts: %w", err)
	}
	if err := catalog.CheckRoles(m.roles); err != nil {
		return usage("--role: %w", err)
	}
	return nil
}

// memberOf is the member of a host that the flags describe, but for its key.
func (m *memberFlags) memberOf(host string) (catalog.Member, error) {
	if strings.ContainsAny(host, `*?[\`) {
		return catalog.Member{}, usage("%s is a pattern: name one host here, and patterns with --hosts", output.Name(host))
	}
	if m.hosts == nil {
		m.hosts = admin.HostsOf(host)
	}
	return catalog.Member{Hosts: m.hosts, Group: m.group, Roles: m.roles}, m.check()
}

// tellNameless warns of a writer that may not speak for the host that it goes by if nobody names
// another.
func (a *app) tellNameless(m catalog.Member) {
	if name := m.Name(); !m.MaySpeakFor(name) && m.OnlyHost() == "" {
		a.Warn(fmt.Sprintf("%s is not one of the hosts %s: its backups must name one of these, with --host, PACKSTONE_HOST or host: in "+
			"the settings", name, strings.Join(m.Hosts, ", ")))
	}
}

func newKeyWriterBind(a *app) *cobra.Command {
	var o memberFlags
	cmd := &cobra.Command{
		Use:   "bind HOST",
		Short: "Change the hosts that a writer may back up, and its group.",
		Long: `Existing snapshots count as before. --group '' and --role '' remove group and roles. After a change of
its group a host reads again what it shared.

` + whatSharingTrusts,
		Example: `  packstone key writer bind db1 --hosts db1,db1-old
  packstone key writer bind web-1 --group frontends`,
		Args: cobra.ExactArgs(1),
	}
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun, func(ctx context.Context, args []string) error {
		changed := cmd.Flags().Changed
		if !changed("hosts") && !changed("group") && !changed("role") {
			return usage("say what to change: --hosts, --group or --role")
		}
		return a.bindWriter(ctx, catalog.WriterName(args[0]), o, changed)
	})
}

func (a *app) bindWriter(ctx context.Context, name string, o memberFlags, changed func(flag string) bool) error {
	repo, w, err := a.openWriter(ctx, name)
	if err != nil {
		return err
	}
	terms, err := o.terms(changed)
	if err != nil {
		return err
	}
	next := w.With(terms)
	if !a.flags.dryRun {
		if err := w.Set(ctx, next); err != nil {
			return err
		}
	}
	m := message.WriterBound{
		Name: name, Hosts: next.Hosts, Unbound: next.Hosts == nil, Group: next.Group, Roles: next.Roles, Config: repo.Config.Number, DryRun: a.flags.dryRun,
	}
	a.out.Message("key_writer_bind", m, m.Text())
	a.tellNameless(next)
	return a.out.Err()
}

// terms are those that the flags change.
func (m *memberFlags) terms(changed func(flag string) bool) (t admin.Terms, err error) {
	if changed("group") {
		t.Group = &m.group
	}
	if changed("role") {
		t.Roles = &m.roles
	}
	if changed("hosts") {
		t.Hosts = &m.hosts
	} else {
		m.hosts = []string{catalog.AnyHost}
	}
	return t, m.check()
}

// openWriter opens the repository as its owner and finds a writer that was not revoked.
func (a *app) openWriter(ctx context.Context, name string) (*catalog.Repository, *admin.Writer, error) {
	repo, owner, err := a.OpenAsOwner(ctx)
	if err != nil {
		return nil, nil, err
	}
	w, err := admin.OpenWriter(ctx, repo, owner, name)
	return repo, w, err
}

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
)

// admission is what flags say of a member that is to be admitted.
type admission struct {
	kind           admin.Kind
	file, replaces string
	terms          admin.Terms
}

// keyAdder makes a verb that admits a member; complete does what is its own.
func (a *app) keyAdder(kind admin.Kind, complete func(cmd *cobra.Command, o *admission) func(host string) error) *cobra.Command {
	o := admission{kind: kind}
	cmd := described("key-"+string(kind)+"-add", cobra.ExactArgs(1))
	cmd.Flags().StringVarP(&o.file, "output", "o", "", "write the key to this `file` instead of printing it")
	terms := complete(cmd, &o)
	return a.verb(cmd, signsKeys, func(ctx context.Context, args []string) error {
		if err := terms(args[0]); err != nil {
			return err
		}
		return a.admit(ctx, args[0], o)
	})
}

func newKeyWriterAdd(a *app) *cobra.Command {
	return a.keyAdder(admin.KindWriter, func(cmd *cobra.Command, o *admission) func(string) error {
		var m memberFlags
		cmd.Flags().StringVar(&o.replaces, "replaces", "", "the `writer` whose place it takes, and that is revoked")
		m.register(cmd.Flags())
		return func(host string) (err error) {
			if strings.ContainsAny(host, `*?[\`) {
				return usage("%s is a pattern: name one host here, and patterns with --hosts", output.Name(host))
			}
			if o.replaces != "" {
				o.replaces = catalog.WriterName(o.replaces)
			}
			o.terms, err = m.terms(cmd.Flags().Changed, admin.HostsOf(host))
			return err
		}
	})
}

func newKeyCollectorAdd(a *app) *cobra.Command {
	return a.keyAdder(admin.KindCollector, func(cmd *cobra.Command, o *admission) func(string) error {
		var repack, attest bool
		cmd.Flags().BoolVar(&repack, "repack", false, "allow packstone prune --repack with this key, together with an identity; hosts rely on what it has copied")
		cmd.Flags().BoolVar(&attest, "attest", false, "allow packstone check --attest with this key, together with an identity; the same as --repack")
		return func(string) error {
			if repack || attest {
				o.terms.Roles = &[]string{catalog.RoleVerifier}
			}
			return nil
		}
	})
}

func newKeyKeeperAdd(a *app) *cobra.Command {
	return a.keyAdder(admin.KindKeeper, func(*cobra.Command, *admission) func(string) error {
		return func(string) error { return nil }
	})
}

// admit makes a key for a host or another name, admits it, and hands it over.
func (a *app) admit(ctx context.Context, host string, o admission) error {
	repo, owner, err := a.OpenAsOwner(ctx)
	if err != nil {
		return err
	}
	who, err := admin.NewAdmission(repo, o.kind, host, o.terms, o.replaces)
	if err != nil {
		return err
	}
	if name := catalog.WriterName(host); who.Name != name {
		a.out.Note("the name %s stays with what its key has signed: the new key is that of writer %s, and speaks for the same host", name, who.Name)
	}
	m := message.AdmissionOf(who, repo.Config, a.flags.dryRun)
	if m.DryRun {
		return a.tellAdmitted(o.kind, m)
	}
	m.Content, err = machine.HandOver(who, o.file, func(keep admin.Keep) error { return who.Sign(ctx, owner, keep) })
	if err != nil {
		return err
	}
	m.Config, m.File = repo.Config.Number, o.file
	for _, text := range m.Notes() {
		a.out.Note("%s", text)
	}
	if o.kind == admin.KindWriter {
		a.tellNameless(who.Member)
	}
	return a.tellAdmitted(o.kind, m)
}

func (a *app) tellAdmitted(kind admin.Kind, m message.Admission) error {
	switch kind {
	case admin.KindCollector:
		return a.out.Message("key_collector_add", m, m.Text())
	case admin.KindKeeper:
		return a.out.Message("key_keeper_add", m, m.Text())
	}
	return a.out.Message("key_writer_add", m.OfWriter(), m.Text())
}

func (a *app) tellNameless(m catalog.Member) {
	if text := message.Nameless(m); text != "" {
		a.Warn(text)
	}
}

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

// terms are those that the flags change. hosts are those of a writer of which they name none.
func (m *memberFlags) terms(changed func(flag string) bool, hosts []string) (t admin.Terms, err error) {
	if changed("group") {
		t.Group = &m.group
	}
	if changed("role") {
		t.Roles = &m.roles
	}
	if changed("hosts") {
		t.Hosts, hosts = &m.hosts, m.hosts
	}
	if err := catalog.CheckHosts(hosts); err != nil {
		return t, usage("--hosts: %w", err)
	}
	if err := catalog.CheckRoles(m.roles); err != nil {
		return t, usage("--role: %w", err)
	}
	return t, nil
}

func newKeyWriterBind(a *app) *cobra.Command {
	var o memberFlags
	cmd := described("key-writer-bind", cobra.ExactArgs(1))
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun, func(ctx context.Context, args []string) error {
		changed := cmd.Flags().Changed
		if !changed("hosts") && !changed("group") && !changed("role") {
			return usage("say what to change: --hosts, --group or --role")
		}
		terms, err := o.terms(changed, []string{catalog.AnyHost})
		if err != nil {
			return err
		}
		return a.bindWriter(ctx, catalog.WriterName(args[0]), terms)
	})
}

func (a *app) bindWriter(ctx context.Context, name string, terms admin.Terms) error {
	repo, owner, err := a.OpenAsOwner(ctx)
	if err != nil {
		return err
	}
	w, err := admin.OpenWriter(ctx, repo, owner, name)
	if err != nil {
		return err
	}
	next := w.With(terms)
	if !a.flags.dryRun {
		if err := w.Set(ctx, next); err != nil {
			return err
		}
	}
	m := message.BoundOf(next, repo.Config, a.flags.dryRun)
	err = a.out.Message("key_writer_bind", m, m.Text())
	a.tellNameless(next)
	return err
}

func newKeyRevoke(a *app, kind admin.Kind) *cobra.Command {
	return a.verb(described("key-"+string(kind)+"-revoke", cobra.ExactArgs(1)), signsKeys, func(ctx context.Context, args []string) error {
		repo, owner, err := a.OpenAsOwner(ctx)
		if err != nil {
			return err
		}
		r, err := admin.NewRevocation(ctx, repo, owner, kind, catalog.WriterName(args[0]))
		if err != nil {
			return err
		}
		if !a.flags.dryRun {
			if err := r.Sign(ctx); err != nil {
				return err
			}
		}
		m := message.RevokedOf(kind, r, repo.Config, a.flags.dryRun)
		if kind == admin.KindWriter {
			return a.out.Message("key_writer_revoke", m, m.Text())
		}
		if !m.DryRun {
			a.out.Note("revoked collector %s with configuration %d", m.Name, m.Config)
		}
		return a.out.Message("key_collector_revoke", m, m.Text())
	})
}

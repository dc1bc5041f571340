package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Admission is what key collector add and key keeper add print as JSON, and key writer add among
// other things: who was admitted, and the key file.
type Admission struct {
	Name    string `json:"name" doc:"The name that it signs with."`
	Key     string `json:"key" doc:"Its public key."`
	Config  uint64 `json:"config" doc:"The number of the configuration that admits it."`
	File    string `json:"file,omitempty" doc:"The key file that was written."`
	Content string `json:"content,omitempty" doc:"The key file's text, secret, where no file was named."`
	DryRun  bool   `json:"dry_run,omitempty" doc:"Whether nothing was changed."`

	kind   admin.Kind
	member catalog.Member
}

// AdmissionOf says who is to be admitted beside those of a configuration.
func AdmissionOf(a *admin.Admission, c *catalog.Config, dry bool) Admission {
	return Admission{Name: a.Name, Key: a.Member.Key, Config: c.Number, DryRun: dry, kind: a.Kind, member: a.Member}
}

// OfWriter is what is printed of a writer: also what it may do.
func (m Admission) OfWriter() WriterAdded {
	return WriterAdded{Admission: m, Hosts: m.member.Hosts, Group: m.member.Group, Roles: m.member.Roles, Replaces: m.member.Replaces}
}

// Text is the key file, or where it was written.
func (m Admission) Text() string {
	switch {
	case m.DryRun:
		return "dry run: would admit " + m.who()
	case m.Content != "":
		return strings.TrimRight(m.Content, "\n")
	}
	return "wrote the key file of " + m.Name + " to " + m.File
}

// Notes are what an admission means beside the key file.
func (m Admission) Notes() (notes []string) {
	if m.member.Replaces != "" {
		notes = append(notes, fmt.Sprintf("writer %s is revoked: its snapshots stay; take away its access to the storage", m.member.Replaces))
	}
	return append(notes, fmt.Sprintf("admitted %s with configuration %d", m.who(), m.Config))
}

func (m Admission) who() string {
	if m.kind == admin.KindWriter {
		return "writer " + m.Name + " for " + strings.Join(m.member.Hosts, ", ")
	}
	return string(m.kind) + " " + m.Name
}

// Nameless is a warning of a writer that may not speak for the host that it goes by if nobody names
// another; "" if there is nothing to warn of.
func Nameless(m catalog.Member) string {
	name := m.Name()
	if m.MaySpeakFor(name) || m.OnlyHost() != "" {
		return ""
	}
	return fmt.Sprintf("%s is not one of the hosts %s: its backups must name one of these, with --host, PACKSTONE_HOST or host: in "+
		"the settings", name, strings.Join(m.Hosts, ", "))
}

// Revoked is what key writer revoke and key collector revoke print as JSON.
type Revoked struct {
	Name   string            `json:"name" doc:"The name that the host signed with."`
	Config uint64            `json:"config" doc:"The number of the configuration that revokes it."`
	Last   map[string]uint64 `json:"last_valid" doc:"By lane, its last record that counts."`
	DryRun bool              `json:"dry_run,omitempty" doc:"Whether nothing was changed."`

	kind admin.Kind
}

// RevokedOf says who was revoked with a configuration, or with dry would be.
func RevokedOf(kind admin.Kind, r *admin.Revocation, c *catalog.Config, dry bool) Revoked {
	return Revoked{Name: r.Name, Config: c.Number, Last: r.Last, DryRun: dry, kind: kind}
}

// Text is the revocation for a person.
func (m Revoked) Text() string {
	switch {
	case m.DryRun:
		return fmt.Sprintf("dry run: would revoke %s %s", m.kind, m.Name)
	case m.kind == admin.KindCollector:
		return "nothing that it signs from now on counts\ntake away its access to the storage too"
	}
	records := uint64(0)
	for _, n := range m.Last {
		records += n
	}
	return fmt.Sprintf("revoked writer %s with configuration %d: its %s stay, and what it writes from now on is ignored\n"+
		"take away its access to the storage too", m.Name, m.Config, output.Plural(records, "record"))
}

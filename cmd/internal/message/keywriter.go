package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/cmd/internal/output"
)

// WriterAdded is what key writer add prints as JSON.
type WriterAdded struct {
	Admission
	Hosts []string `json:"hosts" doc:"Patterns of the hosts that its snapshots may be of."`
	Group string   `json:"group,omitempty" doc:"The group whose data it relies on; without one on its own alone."`
	Roles []string `json:"roles,omitempty" doc:"What else it may do."`

	Replaces string `json:"replaces,omitempty" doc:"The writer whose place it takes, which is revoked."`
}

// WriterRevoked is what key writer revoke prints as JSON.
type WriterRevoked struct {
	Name   string            `json:"name" doc:"The name that the host signed with."`
	Config uint64            `json:"config" doc:"The number of the configuration that revokes it."`
	Last   map[string]uint64 `json:"last_valid" doc:"By lane, its last record that counts."`
	DryRun bool              `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// WriterBound is what key writer bind prints as JSON.
type WriterBound struct {
	Name    string   `json:"name" doc:"The name that the host signs with."`
	Hosts   []string `json:"hosts,omitempty" doc:"Patterns of the hosts that its snapshots may be of from now on."`
	Unbound bool     `json:"unbound,omitempty" doc:"Whether the owner has not said for which hosts."`
	Group   string   `json:"group,omitempty" doc:"The group whose data it relies on; without one on its own alone."`
	Roles   []string `json:"roles,omitempty" doc:"What else it may do."`
	Config  uint64   `json:"config" doc:"The number of the configuration that is in force now."`
	DryRun  bool     `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Text is the revocation for a person.
func (m WriterRevoked) Text() string {
	records := uint64(0)
	for _, n := range m.Last {
		records += n
	}
	return fmt.Sprintf("revoked writer %s with configuration %d: its %s stay, and what it writes from now on is ignored\n"+
		"take away its access to the storage too", m.Name, m.Config, output.Plural(records, "record"))
}

// Text is the change for a person.
func (m WriterBound) Text() string {
	text := fmt.Sprintf("writer %s may speak for %s", m.Name, strings.Join(m.Hosts, ", "))
	if m.Unbound {
		text = fmt.Sprintf("writer %s is unbound: it may speak for any host", m.Name)
	}
	if m.Group == "" {
		text += "; it relies on its own data alone"
	} else {
		text += "; it relies on the data of group " + m.Group
	}
	if len(m.Roles) > 0 {
		text += "; it may " + strings.Join(m.Roles, ", ")
	}
	if m.DryRun {
		return "dry run: " + text
	}
	return fmt.Sprintf("%s (configuration %d)", text, m.Config)
}

// CollectorRevoked is what key collector revoke prints as JSON.
type CollectorRevoked struct {
	Name   string            `json:"name" doc:"The name that it signed with."`
	Config uint64            `json:"config" doc:"The number of the configuration that revokes it."`
	Last   map[string]uint64 `json:"last_valid" doc:"By lane, the last record that counts if it has signed it; gc is its last round, roll its last roll-up."`
	DryRun bool              `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Keeper is a keeper that key keeper list prints.
type Keeper struct {
	Name string `json:"name" doc:"Its name."`
	Key  string `json:"key" doc:"Its public key."`
}

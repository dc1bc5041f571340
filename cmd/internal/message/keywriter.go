package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
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

// BoundOf says under which terms a writer is now, or with dry would be.
func BoundOf(m catalog.Member, c *catalog.Config, dry bool) WriterBound {
	return WriterBound{Name: admin.NameOf(m), Hosts: m.Hosts, Unbound: m.Hosts == nil, Group: m.Group, Roles: m.Roles, Config: c.Number, DryRun: dry}
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

// Keeper is a keeper that key keeper list prints.
type Keeper struct {
	Name string `json:"name" doc:"Its name."`
	Key  string `json:"key" doc:"Its public key."`
}

// KeepersOf lists the keepers of a configuration.
func KeepersOf(c *catalog.Config) ([]Keeper, output.Table) {
	rows, table := []Keeper{}, output.Table{Head: []string{"NAME", "KEY"}, Cut: []int{0, 1}}
	for _, m := range c.Keepers {
		rows = append(rows, Keeper{Name: admin.NameOf(m), Key: m.Key})
		table.Rows = append(table.Rows, []string{admin.NameOf(m), m.Key})
	}
	return rows, table
}

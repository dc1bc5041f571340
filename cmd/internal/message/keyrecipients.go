package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
)

// Recipients is what key add and key remove print as JSON.
type Recipients struct {
	Config     uint64   `json:"config" doc:"The number of the configuration that is in force now."`
	Recipients []string `json:"recipients" doc:"Who can read what is written from now on, and all that was written before."`
	Added      []string `json:"added,omitempty" doc:"Who has been added."`
	Removed    []string `json:"removed,omitempty" doc:"Who has been removed, and can go on reading what was written before."`
	Pin        string   `json:"pin,omitempty" doc:"The line that belongs into a new recipient's identity file, so that the repository's owner is checked."`
	DryRun     bool     `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// RecipientsOf says who can read a repository now, or with dry would.
func RecipientsOf(repo *catalog.Repository, c admin.RecipientChange, dry bool) Recipients {
	m := Recipients{Config: repo.Config.Number, Recipients: c.Next, Added: c.Added, Removed: c.Removed, DryRun: dry}
	if len(m.Added) > 0 {
		m.Pin = admin.PinOf(repo).Line()
	}
	return m
}

// Text is the change for a person.
func (m Recipients) Text() string {
	var b strings.Builder
	if m.DryRun {
		b.WriteString("dry run, nothing was changed\n")
	}
	for _, text := range m.Added {
		fmt.Fprintf(&b, "added %s: reads everything, old and new\n", admin.ShortRecipient(text))
	}
	for _, text := range m.Removed {
		fmt.Fprintf(&b, "removed %s: reads nothing that is written from now on, but can still read what was written before\n", admin.ShortRecipient(text))
	}
	if len(m.Added)+len(m.Removed) == 0 {
		b.WriteString("no recipient was added; all of them can now read what was written meanwhile\n")
	}
	if m.Pin != "" {
		fmt.Fprintf(&b, "put this line into the new identity's file, so that it trusts nobody but this repository's owner:\n%s\n", m.Pin)
	}
	fmt.Fprintf(&b, "configuration %d, recipients: %d", m.Config, len(m.Recipients))
	return b.String()
}

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// keyListMessage is what key list prints as JSON.
type keyListMessage struct {
	Repository  string             `json:"repository" doc:"The repository's id."`
	Owner       string             `json:"owner" doc:"The owner's public key."`
	Fingerprint string             `json:"owner_fingerprint" doc:"A short form of it, to compare, and for --accept-owner elsewhere."`
	Pin         string             `json:"pin" doc:"The line by which an identity file trusts this owner."`
	OwnerHere   bool               `json:"owner_at_hand" doc:"Whether the owner's secret key is at hand."`
	Config      uint64             `json:"config" doc:"The number of the configuration in force."`
	Classic     bool               `json:"classic" doc:"Whether keys are X25519 instead of hybrid post-quantum."`
	Recipients  []recipientRow     `json:"recipients" doc:"Who can read."`
	Writers     []memberRow        `json:"writers" doc:"Hosts that may write, and those that might."`
	Collectors  []memberRow        `json:"collectors" doc:"Who may delete what is not needed."`
	Domains     []keyListDomainRow `json:"domains" doc:"Within a domain equal contents are stored once."`
	OldRules    bool               `json:"old_rules,omitempty" doc:"Whether writers without a group rely on each other, as they did in the first version: the next change ends that."`
	Floor       string             `json:"retention_floor" doc:"How long every snapshot is kept at least."`
}

type recipientRow struct {
	Recipient string `json:"recipient" doc:"The public key."`
	Here      bool   `json:"identity_at_hand" doc:"Whether its identity is at hand."`
}

type memberRow struct {
	Name    string            `json:"name" doc:"The name that it signs with."`
	Key     string            `json:"key" doc:"Its public key."`
	Hosts   []string          `json:"hosts,omitempty" doc:"Patterns of the hosts that a writer's snapshots may be of."`
	Unbound bool              `json:"unbound,omitempty" doc:"Whether the owner has not said which hosts a writer's snapshots may be of."`
	Group   string            `json:"group,omitempty" doc:"Writers of one group rely on each other's data; one without on its own alone."`
	Roles   []string          `json:"roles,omitempty" doc:"What else it may do."`
	Here    bool              `json:"key_at_hand" doc:"Whether its key file is at hand."`
	Revoked bool              `json:"revoked" doc:"Whether it may no longer act."`
	Last    map[string]uint64 `json:"last_valid,omitempty" doc:"Of a revoked one: by lane, its last record that counts."`

	Replaces  string        `json:"replaces,omitempty" doc:"The writer whose place it took."`
	Admitted  output.Moment `json:"admitted,omitzero" doc:"When the owner admitted it, by the owner's clock; absent if not known."`
	RevokedAt output.Moment `json:"revoked_at,omitzero" doc:"When the owner revoked it, by the owner's clock."`
	LastSeen  output.Moment `json:"last_seen,omitzero" doc:"Of a writer, by key writer list: the date of its newest record in the log."`
}

type keyListDomainRow struct {
	Number  uint64 `json:"number" doc:"Its number."`
	Current bool   `json:"current" doc:"Whether it is written with."`
	Origin  string `json:"origin" doc:"The repository that it was made for."`
}

func newKeyList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List readers, writers and collectors, and which keys are at hand.",
		Example: `  packstone key list
  packstone key list --json`,
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
		a.out.Message("key_list", m, m.text())
		return a.out.Err()
	})
}

// openWithAnyKeys opens the repository even where the identities at hand are not its own.
func (a *app) openWithAnyKeys(ctx context.Context) (*catalog.Repository, error) {
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.AnyIdentity)
	return repo, err
}

func (a *app) keyList(ctx context.Context, repo *catalog.Repository) (m keyListMessage, err error) {
	recipients, err := a.recipientsAtHand(ctx)
	if err != nil {
		return m, err
	}
	_, ownerErr := a.Owner(repo)
	c := repo.Config
	m = keyListMessage{
		Repository: repo.Format.Repository, Owner: repo.Owner().Text(), Fingerprint: repo.Owner().Fingerprint().String(),
		Pin: admin.PinOf(repo).Line(), OwnerHere: ownerErr == nil,
		Config: c.Number, Classic: c.Classic, Recipients: []recipientRow{}, Domains: []keyListDomainRow{}, Floor: c.Floor,
		Collectors: memberRows(c, c.Collectors, ""), OldRules: c.Rules == 0,
	}
	for _, text := range c.Recipients {
		m.Recipients = append(m.Recipients, recipientRow{text, slices.Contains(recipients, text)})
	}
	for _, d := range c.Domains {
		m.Domains = append(m.Domains, keyListDomainRow{d.Number, d.Number == c.Domain, d.Origin})
	}
	here := ""
	if writer, err := repo.Writer(); err == nil { // else opening the repository has warned of it
		here = writer.Signer.Verifier().Text()
	}
	m.Writers = memberRows(c, c.Writers, here)
	for i := range m.Writers {
		m.Writers[i].Unbound = c.Writers[i].Hosts == nil
	}
	return m, nil
}

// recipientsAtHand are the public keys of the identities at hand.
func (a *app) recipientsAtHand(ctx context.Context) ([]string, error) {
	file, err := a.Identities(ctx)
	if err != nil || file == nil {
		return nil, err
	}
	return admin.PublicKeys(file.Identities)
}

// memberRows lists members. here is the public key whose file is at hand.
func memberRows(c *catalog.Config, members []catalog.Member, here string) []memberRow {
	rows := []memberRow{}
	for _, m := range members {
		tenure := c.TenureOf(m.Key)
		rows = append(rows, memberRow{
			Name: admin.NameOf(m), Key: m.Key, Hosts: m.Hosts, Group: m.Group, Roles: m.Roles, Here: m.Key == here, Revoked: m.Revoked != nil, Last: m.Revoked,
			Replaces: m.Replaces, Admitted: output.Moment(tenure.Admitted), RevokedAt: output.Moment(tenure.Revoked),
		})
	}
	return rows
}

func (m keyListMessage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "repository %s, configuration %d\nowner      %s%s\n", m.Repository, m.Config, m.Fingerprint, output.Mark(m.OwnerHere, "key at hand"))
	for _, r := range m.Recipients {
		fmt.Fprintf(&b, "recipient  %s%s\n", admin.ShortRecipient(r.Recipient), output.Mark(r.Here, "identity at hand"))
	}
	for _, w := range m.Writers {
		fmt.Fprintf(&b, "writer     %s\n", w.text())
	}
	if m.OldRules && len(m.Writers) > 1 {
		b.WriteString("           writers without a group rely on each other's data until this configuration is changed\n")
	}
	for _, c := range m.Collectors {
		fmt.Fprintf(&b, "collector  %s\n", c.text())
	}
	for _, d := range m.Domains {
		fmt.Fprintf(&b, "domain     %d%s\n", d.Number, output.Mark(d.Current, "written with"))
	}
	return strings.TrimRight(b.String(), "\n")
}

func (r memberRow) text() string {
	text := r.Name + output.Mark(r.Unbound, "unbound") + output.Mark(len(r.Hosts) > 0, "of "+strings.Join(r.Hosts, ", ")) + output.Mark(r.Group != "", "group "+r.Group) +
		output.Mark(len(r.Roles) > 0, strings.Join(r.Roles, ", ")) + output.Mark(r.Here, "key at hand")
	if !r.Revoked {
		return text
	}
	var lanes []string
	for _, lane := range slices.Sorted(maps.Keys(r.Last)) {
		lanes = append(lanes, fmt.Sprintf("%s/%d", lane, r.Last[lane]))
	}
	if len(lanes) == 0 {
		return text + " (revoked, nothing of it counts)"
	}
	return text + " (revoked, counts up to " + strings.Join(lanes, " ") + ")"
}

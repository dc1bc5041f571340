package message

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/output"
)

// KeyList is what key list prints as JSON.
type KeyList struct {
	Repository  string             `json:"repository" doc:"The repository's id."`
	Owner       string             `json:"owner" doc:"The owner's public key."`
	Fingerprint string             `json:"owner_fingerprint" doc:"A short form of it, to compare, and for --accept-owner elsewhere."`
	Pin         string             `json:"pin" doc:"The line by which an identity file trusts this owner."`
	OwnerHere   bool               `json:"owner_at_hand" doc:"Whether the owner's secret key is at hand."`
	Config      uint64             `json:"config" doc:"The number of the configuration in force."`
	Classic     bool               `json:"classic" doc:"Whether keys are X25519 instead of hybrid post-quantum."`
	Recipients  []KeyListRecipient `json:"recipients" doc:"Who can read."`
	Writers     []Member           `json:"writers" doc:"Hosts that may write, and those that might."`
	Collectors  []Member           `json:"collectors" doc:"Who may delete what is not needed."`
	Domains     []KeyListDomain    `json:"domains" doc:"Within a domain equal contents are stored once."`
	OldRules    bool               `json:"old_rules,omitempty" doc:"Whether writers without a group rely on each other, as they did in the first version: the next change ends that."`
	Floor       string             `json:"retention_floor" doc:"How long every snapshot is kept at least."`
}

// KeyListRecipient is who can read.
type KeyListRecipient struct {
	Recipient string `json:"recipient" doc:"The public key."`
	Here      bool   `json:"identity_at_hand" doc:"Whether its identity is at hand."`
}

// Member is a writer or a collector, admitted or revoked.
type Member struct {
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

// KeyListDomain is a domain of a repository.
type KeyListDomain struct {
	Number  uint64 `json:"number" doc:"Its number."`
	Current bool   `json:"current" doc:"Whether it is written with."`
	Origin  string `json:"origin" doc:"The repository that it was made for."`
}

// KeyListOf lists who may do what with a repository. atHand are the public keys of the identities at
// hand, and ownerHere says whether the owner's key is.
func KeyListOf(repo *catalog.Repository, atHand []string, ownerHere bool) KeyList {
	c := repo.Config
	m := KeyList{
		Repository: repo.Format.Repository, Owner: repo.Owner().Text(), Fingerprint: repo.Owner().Fingerprint().String(),
		Pin: admin.PinOf(repo).Line(), OwnerHere: ownerHere,
		Config: c.Number, Classic: c.Classic, Recipients: []KeyListRecipient{}, Domains: []KeyListDomain{}, Floor: c.Floor,
		Collectors: membersOf(c, c.Collectors, ""), OldRules: c.Rules == 0,
	}
	for _, text := range c.Recipients {
		m.Recipients = append(m.Recipients, KeyListRecipient{Recipient: text, Here: slices.Contains(atHand, text)})
	}
	for _, d := range c.Domains {
		m.Domains = append(m.Domains, KeyListDomain{Number: d.Number, Current: d.Number == c.Domain, Origin: d.Origin})
	}
	here := ""
	if writer, err := repo.Writer(); err == nil { // else opening the repository has warned of it
		here = writer.Signer.Verifier().Text()
	}
	m.Writers = membersOf(c, c.Writers, here)
	for i := range m.Writers {
		m.Writers[i].Unbound = c.Writers[i].Hosts == nil
	}
	return m
}

// membersOf lists members. here is the public key whose file is at hand.
func membersOf(c *catalog.Config, members []catalog.Member, here string) []Member {
	rows := []Member{}
	for _, m := range members {
		tenure := c.TenureOf(m.Key)
		rows = append(rows, Member{
			Name: admin.NameOf(m), Key: m.Key, Hosts: m.Hosts, Group: m.Group, Roles: m.Roles, Here: m.Key == here, Revoked: m.Revoked != nil, Last: m.Revoked,
			Replaces: m.Replaces, Admitted: output.Moment(tenure.Admitted), RevokedAt: output.Moment(tenure.Revoked),
		})
	}
	return rows
}

// SeeWriters says when each writer has written last.
func (m KeyList) SeeWriters(seen map[string]time.Time) {
	for i := range m.Writers {
		m.Writers[i].LastSeen = output.Moment(seen[m.Writers[i].Name])
	}
}

// WriterTable lists writers.
func WriterTable(rows []Member) output.Table {
	table := output.Table{Head: []string{"NAME", "HOSTS", "GROUP", "STATE", "SINCE", "LAST SEEN", "KEY"}, Cut: []int{0, 1, 2, 6}}
	for _, row := range rows {
		table.Rows = append(table.Rows, []string{row.Name, row.hosts(), output.OrDash(row.Group), row.state(), minute(row.since()), minute(row.LastSeen), row.Key})
	}
	return table
}

// CollectorTable lists collectors.
func CollectorTable(rows []Member) output.Table {
	table := output.Table{Head: []string{"NAME", "STATE", "KEY"}, Cut: []int{0, 2}}
	for _, row := range rows {
		table.Rows = append(table.Rows, []string{row.Name, row.state(), row.Key})
	}
	return table
}

// Text is the list for a person.
func (m KeyList) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "repository %s, configuration %d\nowner      %s%s\n", m.Repository, m.Config, m.Fingerprint, output.Mark(m.OwnerHere, "key at hand"))
	for _, r := range m.Recipients {
		fmt.Fprintf(&b, "recipient  %s%s\n", admin.ShortRecipient(r.Recipient), output.Mark(r.Here, "identity at hand"))
	}
	for _, w := range m.Writers {
		fmt.Fprintf(&b, "writer     %s\n", w.Text())
	}
	if m.OldRules && len(m.Writers) > 1 {
		b.WriteString("           writers without a group rely on each other's data until this configuration is changed\n")
	}
	for _, c := range m.Collectors {
		fmt.Fprintf(&b, "collector  %s\n", c.Text())
	}
	for _, d := range m.Domains {
		fmt.Fprintf(&b, "domain     %d%s\n", d.Number, output.Mark(d.Current, "written with"))
	}
	return strings.TrimRight(b.String(), "\n")
}

// Text is the member in a line.
func (r Member) Text() string {
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

// since is when the state of a member began.
func (r Member) since() output.Moment {
	if r.Revoked {
		return r.RevokedAt
	}
	return r.Admitted
}

// minute is a moment to the minute, in local time.
func minute(m output.Moment) string {
	if time.Time(m).IsZero() {
		return "-"
	}
	return time.Time(m).Local().Format("2006-01-02 15:04")
}

func (r Member) state() string {
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
func (r Member) hosts() string {
	if r.Unbound {
		return "unbound"
	}
	return output.OrDash(strings.Join(r.Hosts, ","))
}

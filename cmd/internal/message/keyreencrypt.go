package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/copy"
)

// Reencryption is what key rotate --reencrypt prints as JSON.
type Reencryption struct {
	Domain    uint64        `json:"domain" doc:"The domain that is written with."`
	Snapshots []Reencrypted `json:"snapshots" doc:"Snapshots of earlier domains that were stored anew, or would be."`
	Forgotten int           `json:"forgotten" doc:"How many were forgotten, since others have taken their place."`
	Left      []string      `json:"left" doc:"Ids of snapshots of earlier domains that stay, since their writers may not back up their hosts."`
	Stored    int64         `json:"bytes_before" doc:"Bytes of all packs before: about what is read and stored anew, at most."`
	Added     uint64        `json:"data_added_packed" doc:"Bytes that were stored."`
	Grace     string        `json:"grace" doc:"How long the old packs stay before packstone prune deletes them."`
	DryRun    bool          `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Reencrypted is what became of one snapshot.
type Reencrypted struct {
	ID  string `json:"id" doc:"The id of the snapshot that was."`
	New string `json:"new_id,omitempty" doc:"The id of the one that has taken its place."`
}

// ReencryptionOf says which snapshots of a repository with so many bytes are to be stored anew.
func ReencryptionOf(anew *copy.Anew, c *catalog.Config, stored int64) (*Reencryption, error) {
	grace, err := c.GracePeriod()
	m := &Reencryption{Domain: c.Domain, Grace: retention.Period(grace), Stored: stored, Snapshots: []Reencrypted{}, Left: []string{}}
	for _, s := range anew.Left {
		m.Left = append(m.Left, s.ID.String())
	}
	return m, err
}

// Add says which snapshot has taken the place of another one; without an id, that one would.
func (m *Reencryption) Add(s *catalog.Snapshot, id *archive.Name) {
	row := Reencrypted{ID: s.ID.String()}
	if id != nil {
		row.New = id.String()
	}
	m.Snapshots = append(m.Snapshots, row)
}

// notRevoked says what reencrypting does not take away from anybody.
const notRevoked = "what cannot be taken back: copies that somebody has made, older versions in a bucket, and what locks protect, until they expire; " +
	"the log keeps what it says of old snapshots, such as host, set and paths, and the index of old packs stays with it for a while"

// Meaning says what storing snapshots anew does, what it costs, and what it does not do.
func (m *Reencryption) Meaning(snapshots int) []string {
	if snapshots == 0 {
		return append([]string{"no snapshot of an earlier domain is to be stored anew"}, m.stay()...)
	}
	lines := []string{
		fmt.Sprintf("%s of earlier domains: each is stored anew with domain %d for the present recipients, and the old one is forgotten", output.Plural(snapshots, "snapshot"), m.Domain),
		fmt.Sprintf("this reads up to %s and stores as much beside it, until packstone prune deletes the old packs", output.Bytes(m.Stored)),
		notRevoked,
	}
	return append(lines, m.stay()...)
}

// stay says which snapshots stay as they are.
func (m *Reencryption) stay() (lines []string) {
	for _, id := range m.Left {
		lines = append(lines, fmt.Sprintf("snapshot %s stays as it is, since its writer may not back up the host that it names; remove it with packstone forget", id[:catalog.ShortID]))
	}
	return lines
}

// Text is what was done, for a person.
func (m *Reencryption) Text() string {
	if m.DryRun {
		return strings.Join(append(m.Meaning(len(m.Snapshots)), "dry run, nothing was changed"), "\n")
	}
	var lines []string
	for _, row := range m.Snapshots {
		lines = append(lines, fmt.Sprintf("snapshot %s is now %s", row.ID[:catalog.ShortID], row.New[:catalog.ShortID]))
	}
	if m.Forgotten == 0 {
		return strings.Join(append(lines, m.Meaning(0)...), "\n")
	}
	lines = append(lines,
		fmt.Sprintf("stored %s anew with domain %d (%s), and forgot %d", output.Plural(len(m.Snapshots), "snapshot"), m.Domain, output.Bytes(int64(m.Added)), m.Forgotten),
		fmt.Sprintf("packstone prune deletes the old packs after %s; at once: packstone prune --grace 0", m.Grace),
		notRevoked)
	return strings.Join(append(lines, m.stay()...), "\n")
}

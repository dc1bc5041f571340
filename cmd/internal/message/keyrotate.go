package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Rotation is what key rotate prints as JSON.
type Rotation struct {
	Before  uint64        `json:"domain_before" doc:"The domain that was written with."`
	Domain  uint64        `json:"domain" doc:"The domain that is written with now."`
	Config  uint64        `json:"config" doc:"The number of the configuration that is in force now."`
	Know    []string      `json:"know" doc:"Who has, or had, keys of earlier domains, and knows what these tell."`
	Packs   int           `json:"packs" doc:"How many packs are stored, whose contents the next backups do not find again."`
	Bytes   int64         `json:"bytes" doc:"Their bytes: about what the next backups store once more, at most."`
	Renewed []string      `json:"renewed" doc:"Key files of this machine that got the new domain's keys."`
	Made    []RotatedFile `json:"made" doc:"Key files that were made for others."`
	Lacking []string      `json:"lacking" doc:"Members who need a new key file, which was not made."`
	DryRun  bool          `json:"dry_run,omitempty" doc:"Whether nothing was changed."`

	of    *admin.Rotation
	cures []string // how each of those lacking gets its file
}

// RotatedFile is a key file that was made for somebody.
type RotatedFile struct {
	Name     string `json:"name" doc:"The name that it signs with."`
	Replaces string `json:"replaces" doc:"The name whose place it takes, which is revoked."`
	File     string `json:"file" doc:"Where it was written."`
}

// RotationOf says what a change to a new domain means; c is the configuration before.
func RotationOf(r *admin.Rotation, c *catalog.Config, dry bool) Rotation {
	return Rotation{
		Before: r.Before, Domain: r.Before, Config: c.Number, Know: r.Know, Packs: r.Packs, Bytes: r.Bytes,
		Renewed: []string{}, Made: []RotatedFile{}, Lacking: []string{}, DryRun: dry, of: r,
	}
}

// HandedOver says what became of the key files of a repository's members, with the configuration of
// now. Those that were made lie in a directory; without one, it lists who lacks a file.
func (m *Rotation) HandedOver(c *catalog.Config, own machine.OwnKeys, made []machine.Reissued, directory string) {
	m.Domain, m.Config, m.Renewed = c.Domain, c.Number, append(m.Renewed, own.Renewed...)
	if directory == "" {
		m.lack(c, own.Keys)
	}
	for _, f := range made {
		m.Made = append(m.Made, RotatedFile{Name: admin.NameOf(f.Next), Replaces: admin.NameOf(f.Old), File: f.File})
	}
}

// Meaning says what a rotation does, to whom, and what it costs.
func (m Rotation) Meaning() []string {
	r := m.of
	switch {
	case len(r.Lack) > 0:
		return []string{fmt.Sprintf("the change to domain %d is not over, since some have no key file of it yet: %s. It is not changed again before that: make the files with -o, or revoke who needs none",
			m.Before, strings.Join(r.Lack, ", "))}
	case !r.Needed:
		return []string{fmt.Sprintf("nothing is stored with domain %d yet: it is not rotated again", m.Before)}
	}
	return []string{
		fmt.Sprintf("domain %d takes the place of domain %d: key files of domain %d can no longer back up", m.Before+1, m.Before, m.Before),
		"who has, or had, a key file until now: " + strings.Join(m.Know, ", "),
		"these can still test whether a content that they know was stored so far, and list what packs hold it, as long as they reach the storage",
		"recipients stay: they read old and new backups, and a removed one still reads what it could read",
		fmt.Sprintf("nothing that is stored is recognised again: the next backups read everything, and store up to %s (%s) once more", output.Bytes(m.Bytes), output.Plural(uint64(m.Packs), "pack")),
	}
}

// lack lists who needs a new key file, and how to make it.
func (m *Rotation) lack(c *catalog.Config, renewed []string) {
	of := func(members []catalog.Member, cure string) {
		for _, member := range admin.Outdated(members, c, renewed) {
			name := admin.NameOf(member)
			m.Lacking = append(m.Lacking, name)
			m.cures = append(m.cures, strings.ReplaceAll(cure, "NAME", name))
		}
	}
	of(c.Writers, "writer NAME needs a new key file: packstone key writer add NAME --replaces NAME -o NAME.key")
	of(c.Collectors, "collector NAME needs a new key file: packstone key collector add NAME-2 -o NAME-2.key, then packstone key collector revoke NAME")
	of(c.Keepers, "keeper NAME needs a new key file: packstone key rotate --domain -o DIRECTORY makes it, and does not change the domain again")
}

// Text is what was done, for a person.
func (m Rotation) Text() string {
	if m.DryRun {
		return strings.Join(append(m.Meaning(), "dry run, nothing was changed"), "\n")
	}
	lines := []string{fmt.Sprintf("configuration %d: the repository is written with domain %d", m.Config, m.Domain)}
	for _, path := range m.Renewed {
		lines = append(lines, "the key file "+path+" has the keys of this domain now")
	}
	for _, made := range m.Made {
		lines = append(lines, fmt.Sprintf("wrote %s, the key file of %s, which takes the place of %s", made.File, made.Name, made.Replaces))
	}
	if len(m.Made) > 0 {
		lines = append(lines, "bring each to its host, in the place of the old file; the old keys are revoked, and bucket policies that name their holders need the new names")
	}
	return strings.Join(append(lines, m.cures...), "\n")
}

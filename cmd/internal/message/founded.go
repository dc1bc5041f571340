package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/cmd/internal/machine"
)

// Founded is what init prints as JSON.
type Founded struct {
	Repository string   `json:"repository" doc:"The repository's address."`
	ID         string   `json:"id" doc:"The repository's id."`
	Owner      string   `json:"owner" doc:"The owner's public key."`
	Print      string   `json:"owner_fingerprint" doc:"A short form of it, by which machines that do not know the repository are told to trust it."`
	Recipients []string `json:"recipients" doc:"Who can restore."`
	MoveAway   []string `json:"move_away" doc:"Key files that were made here and belong somewhere else."`
	Reused     []string `json:"reused,omitempty" doc:"Key files that were here already and are this repository's too: who has them restores and owns it."`
	WriterFile string   `json:"writer_file" doc:"The key that this host backs up with."`
	Pin        string   `json:"pin,omitempty" doc:"The line by which an identity file trusts the owner, if it could not be put there."`
	PinIn      []string `json:"pin_in,omitempty" doc:"Where it belongs."`
}

// FoundedOf says what was made at an address.
func FoundedOf(address string, made machine.Founded) Founded {
	m := Founded{
		Repository: address, ID: made.ID, Owner: made.Owner.Text(), Print: made.Owner.Fingerprint().String(),
		Recipients: made.Recipients, MoveAway: made.MoveAway, Reused: made.Reused, WriterFile: made.WriterFile, PinIn: made.PinIn,
	}
	if len(m.PinIn) > 0 {
		m.Pin = made.Pin.Line()
	}
	return m
}

// Text is what was made, for a person.
func (m Founded) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "made repository %s in %s\n", m.ID, m.Repository)
	fmt.Fprintf(&b, "this host backs up with %s\n", m.WriterFile)
	fmt.Fprintf(&b, "the owner's fingerprint is %s: note it where the identity is kept\n", m.Print)
	if len(m.Reused) > 0 {
		fmt.Fprintf(&b, "this repository uses keys that were here already: %s. For other ones, name a recipient with -R and an owner's key with PACKSTONE_OWNER_FILE\n",
			strings.Join(m.Reused, ", "))
	}
	if m.Pin != "" {
		fmt.Fprintf(&b, "\nPut this line into %s. Without it a restore elsewhere has to name the fingerprint with --accept-owner:\n%s\n",
			strings.Join(m.PinIn, " and "), m.Pin)
	}
	if len(m.MoveAway) > 0 {
		b.WriteString("\nMove these files to a safe place away from this machine, and keep a second copy. Without an identity nothing comes back:\n")
		for _, name := range m.MoveAway {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// Delivery is what became of a notice by one way, in the JSON array of notify test.
type Delivery struct {
	Way     string `json:"way" doc:"By which way it was sent, without secrets."`
	Arrived bool   `json:"arrived" doc:"Whether it has arrived, as far as the other side says."`
	Error   string `json:"error,omitempty" doc:"Why it has not."`
}

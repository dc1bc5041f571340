package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/crypto/sheet"
)

// Identity is what key generate prints as JSON.
type Identity struct {
	Recipient string `json:"recipient" doc:"The public key: give it to key add or init --recipient."`
	File      string `json:"file,omitempty" doc:"The file with the secret key."`
}

// Sheet is what key sheet prints as JSON.
type Sheet struct {
	Repository string `json:"repository" doc:"The repository's id."`
	Address    string `json:"address" doc:"The repository's address on the sheet."`
	Owner      string `json:"owner" doc:"The fingerprint of the repository's owner."`
	Identity   string `json:"identity,omitempty" doc:"The fingerprint of the recipient to which the identity or share belongs; absent without one."`
	Verified   bool   `json:"verified,omitempty" doc:"Whether the repository is that of the sheet, and was opened with its identity."`
	File       string `json:"file,omitempty" doc:"The file that was written."`
	Content    string `json:"content,omitempty" doc:"The sheet, where no file was named; secret."`
	DryRun     bool   `json:"dry_run,omitempty" doc:"Whether nothing was written."`
}

// SheetOf describes a sheet, without its secret.
func SheetOf(s sheet.Sheet) Sheet {
	m := Sheet{Repository: s.Owner.Repository, Address: s.Address, Owner: s.Owner.Owner.Fingerprint().String()}
	if s.Identity != nil || s.Share != nil {
		m.Identity = s.Of.String()
	}
	return m
}

// Printed is the sheet, or where it was written, for a person.
func (m Sheet) Printed() string {
	switch {
	case m.DryRun:
		return "dry run: would print the sheet of repository " + m.Repository
	case m.File == "":
		return m.Content
	}
	return "wrote the sheet of repository " + m.Repository + " to " + m.File
}

// Text says what was proved, and what was written.
func (m Sheet) Text() string {
	text := "repository  " + m.Address + "\nid          " + m.Repository + "\nowner       " + m.Owner
	if m.Identity != "" {
		text += "\nidentity    " + m.Identity
	}
	switch {
	case m.Verified && m.Identity != "":
		text += "\nthe sheet is right: its identity opens the repository, and the owner is the one on the sheet"
	case m.Verified:
		text += "\nthe sheet is right: the owner is the one on the sheet; it has no identity"
	default:
		text += "\nthe sheet is right in itself; the repository was not opened"
	}
	if m.File != "" {
		text += "\nwrote the identity to " + m.File
	}
	return text
}

// Split is what key split prints as JSON.
type Split struct {
	Repository string   `json:"repository" doc:"The repository's id."`
	Identity   string   `json:"identity" doc:"The fingerprint of the recipient to which the shares belong."`
	Set        string   `json:"set" doc:"What all shares of this split have in common; no other split has it."`
	Threshold  int      `json:"threshold" doc:"How many shares together have the identity."`
	Total      int      `json:"total" doc:"How many shares there are."`
	Files      []string `json:"files" doc:"The files of the shares, one for each custodian."`
	DryRun     bool     `json:"dry_run,omitempty" doc:"Whether nothing was written."`
}

// SplitOf says into which shares, in files at these paths, a sheet was split, or with dry would be.
func SplitOf(shares []sheet.Sheet, files []machine.KeyText, dry bool) Split {
	first := shares[0]
	m := Split{
		Repository: first.Owner.Repository, Identity: first.Of.String(), Set: fmt.Sprintf("%x", first.Share.Set[:]),
		Threshold: first.Share.Threshold, Total: first.Share.Total, DryRun: dry,
	}
	for _, file := range files {
		m.Files = append(m.Files, file.Path)
	}
	return m
}

// Text is the split for a person.
func (m Split) Text() string {
	if m.DryRun {
		return fmt.Sprintf("dry run: would write %d shares, any %d of which have the identity, to %s", m.Total, m.Threshold, strings.Join(m.Files, ", "))
	}
	return fmt.Sprintf("wrote %d shares of set %s, any %d of which have the identity:\n%s", m.Total, m.Set, m.Threshold, strings.Join(m.Files, "\n"))
}

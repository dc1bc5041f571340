package message

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/check"
)

// Check is what check prints as JSON at its end.
type Check struct {
	Records     uint64       `json:"records" doc:"Records of writers, all of them verified."`
	Snapshots   uint64       `json:"snapshots" doc:"Snapshots whose trees were read."`
	Packs       uint64       `json:"packs" doc:"Packs in the repository."`
	Bytes       uint64       `json:"bytes" doc:"Bytes of those."`
	PacksRead   uint64       `json:"packs_read" doc:"Packs whose every byte was read."`
	BytesRead   uint64       `json:"bytes_read" doc:"Bytes of those."`
	Summed      uint64       `json:"packs_compared,omitempty" doc:"Packs that were not read, and whose checksum, as the storage keeps it, is right: see --checksums."`
	Attested    uint64       `json:"packs_attested,omitempty" doc:"Packs that --attest said to be sound, so that hosts of every group rely on them."`
	Unverified  uint64       `json:"packs_unverified,omitempty" doc:"Packs of which --attest has not said so yet, where it has of any."`
	UnverBytes  uint64       `json:"bytes_unverified,omitempty" doc:"Bytes of those."`
	Since       time.Time    `json:"verified_since,omitzero" doc:"Since when all other packs were read with --attest: when the oldest of them was; absent where none was."`
	Unused      uint64       `json:"unused_packs" doc:"Packs that no index names: left by interrupted backups."`
	UnusedBytes uint64       `json:"unused_bytes" doc:"Bytes of those."`
	Findings    []Damage     `json:"findings" doc:"What is wrong."`
	Healed      []Damage     `json:"healed,omitempty" doc:"Packs and index runs that are damaged or missing, and of which others have all that is needed: nothing is lost by them."`
	Unchecked   []string     `json:"unchecked" doc:"What was not checked: since keys are missing, or since data were not read."`
	Notes       []string     `json:"notes" doc:"What a person should know, and that is no fault."`
	Requests    count.Totals `json:"requests" doc:"Requests to the storage."`
}

// Damage is something that is wrong.
type Damage struct {
	Object string        `json:"object" doc:"The object, or place, that is damaged."`
	Error  string        `json:"error" doc:"What is wrong with it."`
	Files  []output.Name `json:"files,omitempty" doc:"SNAPSHOT:source/path of the files that it hurts."`
}

// CheckOf is what a check has found.
func CheckOf(r *check.Report) Check {
	m := Check{
		Records: r.Records, Snapshots: r.Snapshots, Packs: r.Packs, PacksRead: r.PacksRead, BytesRead: r.BytesRead,
		Bytes: r.Bytes, Summed: r.Summed, Attested: r.Attested, Unverified: r.Unverified, UnverBytes: r.UnverifiedBytes, Since: r.Since, Unused: r.Unused, UnusedBytes: r.UnusedBytes, Findings: []Damage{},
		Unchecked: append([]string{}, r.Unchecked...), Notes: append([]string{}, r.Notes...),
	}
	m.Findings = append(m.Findings, DamageOf(r.Findings)...)
	m.Healed = DamageOf(r.Healed)
	return m
}

// DamageOf is what is wrong.
func DamageOf(findings []check.Finding) (all []Damage) {
	for _, f := range findings {
		all = append(all, Damage{Object: f.Object, Error: f.Err.Error(), Files: output.Names(f.Files)})
	}
	return all
}

// hurtListed is how many of the files that a damaged object hurts are named unless all are to be.
const hurtListed = 20

// TellDamage tells what is wrong, and the files that it hurts.
func TellDamage(out *output.Printer, during string, findings []Damage, all bool) {
	for _, f := range findings {
		out.Problem(f.Object, during, errors.New(f.Error))
		listed := len(f.Files)
		if !all {
			listed = min(listed, hurtListed)
		}
		for _, name := range f.Files[:listed] {
			out.Note("  hurts %s", name)
		}
		if more := len(f.Files) - listed; more > 0 {
			out.Note("  and hurts %s more; -v names all", output.Plural(more, "file"))
		}
	}
}

// TellRemarks tells what was not checked, and what is no fault.
func TellRemarks(out *output.Printer, unchecked, notes []string) {
	for _, text := range unchecked {
		out.Warn(output.Warning{Message: "not checked: " + text})
	}
	for _, text := range notes {
		out.Note("note: %s", output.Name(text))
	}
}

// Text is the message for people.
func (m Check) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checked %s, %s and %s", output.Plural(m.Records, "record"), output.Plural(m.Snapshots, "snapshot"), output.Plural(m.Packs, "pack"))
	if m.PacksRead > 0 {
		fmt.Fprintf(&b, "; read %s, %s", output.Plural(m.PacksRead, "pack"), output.Bytes(int64(m.BytesRead)))
	}
	if m.Summed > 0 {
		fmt.Fprintf(&b, "\nthe storage's checksums of %s are right, which were not read", output.Plural(m.Summed, "pack"))
	}
	b.WriteString(m.attested())
	if m.Unused > 0 {
		fmt.Fprintf(&b, "\n%s (%s) not used by any finished backup", output.Plural(m.Unused, "pack"), output.Bytes(int64(m.UnusedBytes)))
	}
	b.WriteString(m.healed())
	if len(m.Findings) == 0 {
		b.WriteString("\nno problems were found")
	}
	return b.String()
}

// healed says what is damaged or missing without harm.
func (m Check) healed() (text string) {
	runs := 0
	for _, f := range m.Healed {
		if strings.HasPrefix(f.Object, "index/") {
			runs++
		}
	}
	if packs := len(m.Healed) - runs; packs > 0 {
		text += fmt.Sprintf("\n%s damaged or missing; other packs have that content too", output.Plural(packs, "pack"))
	}
	if runs > 0 {
		text += fmt.Sprintf("\n%s damaged or missing; others list all packs that are needed", output.Plural(runs, "index run"))
	}
	return text
}

// attested says what was verified by this check and those before it.
func (m Check) attested() string {
	text := ""
	if m.Attested > 0 {
		text = "\nattested " + output.Plural(m.Attested, "pack")
	}
	switch {
	case m.Since.IsZero():
	case m.Unverified > 0:
		text += fmt.Sprintf("\nnever attested: %s, %s of %s; all others were read since %s",
			output.Plural(m.Unverified, "pack"), output.Bytes(int64(m.UnverBytes)), output.Bytes(int64(m.Bytes)), output.Time(m.Since))
	default:
		text += "\nall packs were read and attested since " + output.Time(m.Since)
	}
	return text
}

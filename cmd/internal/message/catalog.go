package message

import (
	"fmt"

	"github.com/packstone/packstone/catalog/mirror"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/check"
)

// Rebuild is what catalog rebuild prints as JSON.
type Rebuild struct {
	Records   int64  `json:"records" doc:"Records of writers."`
	Snapshots int64  `json:"snapshots" doc:"Snapshots; 0 without an identity."`
	IndexRuns int64  `json:"index_runs" doc:"Index runs that were read."`
	Packs     int64  `json:"packs" doc:"Packs that they name."`
	Chunks    int64  `json:"chunks" doc:"Different chunks in them."`
	Files     int64  `json:"files" doc:"Paths that are listed in the view files."`
	Mirror    string `json:"mirror" doc:"The SQLite file."`
}

// RebuildOf says what the mirror in a file has, and how many chunks the index.
func RebuildOf(c mirror.Counts, chunks int64, file string) Rebuild {
	return Rebuild{Records: c.Records, Snapshots: c.Snapshots, IndexRuns: c.IndexRuns, Packs: c.Packs, Chunks: chunks, Files: c.Files, Mirror: file}
}

// Verify is what catalog verify prints as JSON at its end.
type Verify struct {
	Records   uint64   `json:"records" doc:"Records of writers, all of them verified."`
	Snapshots uint64   `json:"snapshots" doc:"Snapshots whose trees were read."`
	Packs     uint64   `json:"packs" doc:"Packs in the repository."`
	Cached    uint64   `json:"cached_objects" doc:"Objects that this machine keeps, all compared with the repository."`
	Findings  []Damage `json:"findings" doc:"What is wrong."`
	Unchecked []string `json:"unchecked" doc:"What was not checked: since keys are missing, or since data were not read."`
	Notes     []string `json:"notes" doc:"What a person should know, and that is no fault."`
}

// VerifyOf is what was found in a repository, and in what this machine keeps of it.
func VerifyOf(r *check.Report, cached uint64, wrong []check.Finding) Verify {
	c := CheckOf(r)
	return Verify{
		Records: c.Records, Snapshots: c.Snapshots, Packs: c.Packs, Cached: cached, Findings: append(c.Findings, DamageOf(wrong)...),
		Unchecked: c.Unchecked, Notes: c.Notes,
	}
}

// Text is the message for people.
func (m Verify) Text() string {
	text := fmt.Sprintf("verified %s, %s, %s and %s of the cache", output.Plural(m.Records, "record"), output.Plural(m.Snapshots, "snapshot"),
		output.Plural(m.Packs, "pack"), output.Plural(m.Cached, "object"))
	if len(m.Findings) == 0 {
		text += "\nno problems were found"
	}
	return text
}

// Text is the message for people.
func (m Rebuild) Text() string {
	return fmt.Sprintf("rebuilt from %s records: %s snapshots, %s index runs, %s packs, %s chunks, %s paths\nmirror: %s",
		output.Count(m.Records), output.Count(m.Snapshots), output.Count(m.IndexRuns), output.Count(m.Packs), output.Count(m.Chunks),
		output.Count(m.Files), m.Mirror)
}

// CatalogDate is what catalog date prints as JSON.
type CatalogDate struct {
	Records int  `json:"records" doc:"How many records were dated, or would be."`
	DryRun  bool `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Text is the message for people.
func (m CatalogDate) Text() string {
	if m.DryRun {
		return fmt.Sprintf("dry run: would date %s as their hosts claim", output.Plural(m.Records, "record"))
	}
	return fmt.Sprintf("dated %s as their hosts claim", output.Plural(m.Records, "record"))
}

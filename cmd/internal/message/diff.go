package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// Change is one difference as JSON.
type Change struct {
	Source   output.Name `json:"source" doc:"The source; / for what was backed up by its path."`
	Path     output.Name `json:"path" doc:"The path below the source."`
	Modifier string      `json:"modifier" doc:"+ added, - removed, M content modified, T type changed, U metadata alone changed."`
	Rows     int64       `json:"rows,omitempty" doc:"Of a table with --live: rows in the snapshot."`
	RowsNow  int64       `json:"rows_now,omitempty" doc:"Of a table with --live: rows as it is now."`
}

// Text is the message for people.
func (m Change) Text() string {
	return fmt.Sprintf("%-4s %s", m.Modifier, Place(string(m.Source), string(m.Path)))
}

// Diff is what diff prints as JSON at its end.
type Diff struct {
	Source          string    `json:"source_snapshot" doc:"The first snapshot."`
	Target          string    `json:"target_snapshot,omitempty" doc:"The second snapshot; with --live there is none."`
	ChangedFiles    uint64    `json:"changed_files" doc:"Files whose content was modified."`
	ChangedBytes    uint64    `json:"changed_bytes" doc:"The bytes that they have in the second snapshot."`
	ChangedType     uint64    `json:"changed_type" doc:"Paths at which something of another type is."`
	ChangedMetadata uint64    `json:"changed_metadata" doc:"Entries whose metadata alone changed."`
	ChangedTables   uint64    `json:"changed_tables,omitempty" doc:"With --live: tables of databases that differ."`
	Added           DiffCount `json:"added" doc:"What only the second snapshot has."`
	Removed         DiffCount `json:"removed" doc:"What only the first snapshot has."`
}

// DiffCount counts what only one snapshot has.
type DiffCount struct {
	Files  uint64 `json:"files" doc:"Files."`
	Dirs   uint64 `json:"dirs" doc:"Directories."`
	Others uint64 `json:"others" doc:"Links, devices and the like."`
	Bytes  uint64 `json:"bytes" doc:"Bytes of the files."`
}

// Count counts a change of files.
func (m *Diff) Count(kind browse.Kind, c *tree.Change) {
	switch kind {
	case browse.Added:
		m.Added.add(&c.New.Entry)
	case browse.Removed:
		m.Removed.add(&c.Old.Entry)
	case browse.Retyped:
		m.ChangedType++
	case browse.Modified:
		m.ChangedFiles++
		m.ChangedBytes += uint64(c.New.Size)
	case browse.Touched:
		m.ChangedMetadata++
	}
}

func (c *DiffCount) add(e *entry.Entry) {
	switch e.Type {
	case entry.File:
		c.Files++
		c.Bytes += uint64(e.Size)
	case entry.Directory:
		c.Dirs++
	default:
		c.Others++
	}
}

// Text is the message for people.
func (m Diff) Text() string {
	var b strings.Builder
	to := "what is there now"
	if m.Target != "" {
		to = m.Target[:catalog.ShortID]
	}
	fmt.Fprintf(&b, "from snapshot %s to %s\n", m.Source[:catalog.ShortID], to)
	fmt.Fprintf(&b, "files: %d new, %d removed, %d changed\n", m.Added.Files, m.Removed.Files, m.ChangedFiles)
	fmt.Fprintf(&b, "dirs: %d new, %d removed\n", m.Added.Dirs, m.Removed.Dirs)
	fmt.Fprintf(&b, "others: %d new, %d removed; %d of another type, %d with other metadata\n", m.Added.Others, m.Removed.Others, m.ChangedType, m.ChangedMetadata)
	if m.ChangedTables > 0 {
		fmt.Fprintf(&b, "tables: %d differ\n", m.ChangedTables)
	}
	fmt.Fprintf(&b, "added: %s, changed: %s, removed: %s", output.Bytes(int64(m.Added.Bytes)), output.Bytes(int64(m.ChangedBytes)), output.Bytes(int64(m.Removed.Bytes)))
	return b.String()
}

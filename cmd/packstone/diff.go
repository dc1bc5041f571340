package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/tree"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// changeMessage is one difference as JSON.
type changeMessage struct {
	Source   output.Name `json:"source" doc:"The source; / for what was backed up by its path."`
	Path     output.Name `json:"path" doc:"The path below the source."`
	Modifier string      `json:"modifier" doc:"+ added, - removed, M content modified, T type changed, U metadata alone changed."`
	Rows     int64       `json:"rows,omitempty" doc:"Of a table with --live: rows in the snapshot."`
	RowsNow  int64       `json:"rows_now,omitempty" doc:"Of a table with --live: rows as it is now."`
}

// diffSummary is what diff prints as JSON at its end.
type diffSummary struct {
	Source          string    `json:"source_snapshot" doc:"The first snapshot."`
	Target          string    `json:"target_snapshot,omitempty" doc:"The second snapshot; with --live there is none."`
	ChangedFiles    uint64    `json:"changed_files" doc:"Files whose content was modified."`
	ChangedBytes    uint64    `json:"changed_bytes" doc:"The bytes that they have in the second snapshot."`
	ChangedType     uint64    `json:"changed_type" doc:"Paths at which something of another type is."`
	ChangedMetadata uint64    `json:"changed_metadata" doc:"Entries whose metadata alone changed."`
	ChangedTables   uint64    `json:"changed_tables,omitempty" doc:"With --live: tables of databases that differ."`
	Added           diffCount `json:"added" doc:"What only the second snapshot has."`
	Removed         diffCount `json:"removed" doc:"What only the first snapshot has."`
}

// diffCount counts what only one snapshot has.
type diffCount struct {
	Files  uint64 `json:"files" doc:"Files."`
	Dirs   uint64 `json:"dirs" doc:"Directories."`
	Others uint64 `json:"others" doc:"Links, devices and the like."`
	Bytes  uint64 `json:"bytes" doc:"Bytes of the files."`
}

func newDiff(a *app) *cobra.Command {
	d := differ{app: a}
	cmd := &cobra.Command{
		Use:   "diff SNAPSHOT SNAPSHOT | diff SNAPSHOT[:SOURCE] --live",
		Short: "Show what differs between two snapshots, or has changed since one.",
		Long: `Each line begins with + for added, - for removed, M for modified content, T for a changed type, and
with --metadata U for changed owners, modes, times and attributes. Equal parts of the trees are not
read.

--live compares a snapshot with its sources as they are now: files by size and time, as a backup
does, without reading them; tables of a database by the digest of their rows.`,
		Example: `  packstone diff latest~1 latest --set platform
  packstone diff latest --live --set platform`,
		Args: cobra.RangeArgs(1, 2),
	}
	cmd.Flags().BoolVar(&d.isLive, "live", false, "compare the snapshot with its sources as they are now")
	cmd.Flags().BoolVar(&d.metadata, "metadata", false, "also list files of which only metadata changed")
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, d.run)
}

// differ is one run of diff.
type differ struct {
	*app
	metadata bool
	isLive   bool
	summary  diffSummary
	problems int // what could not be compared
}

func (d *differ) run(ctx context.Context, args []string) error {
	if d.isLive != (len(args) == 1) {
		return usage("want diff SNAPSHOT SNAPSHOT, or diff SNAPSHOT[:SOURCE] --live")
	}
	if d.isLive {
		return d.live(ctx, args[0])
	}
	b, err := d.browse(ctx)
	if err != nil {
		return err
	}
	before, err := b.Pick(args[0], d.filter())
	if err != nil {
		return err
	}
	after, err := b.Pick(args[1], d.filter())
	if err != nil {
		return err
	}
	d.summary = diffSummary{Source: before.ID.String(), Target: after.ID.String()}
	if err := b.Diff(ctx, before, after, d.take); err != nil {
		return err
	}
	d.out.Summary(d.summary, d.summary.text())
	return d.out.Err()
}

// take counts and tells a change.
func (d *differ) take(source string, kind browse.Kind, c *tree.Change) error {
	switch kind {
	case browse.Added:
		d.summary.Added.add(&c.New.Entry)
	case browse.Removed:
		d.summary.Removed.add(&c.Old.Entry)
	case browse.Retyped:
		d.summary.ChangedType++
	case browse.Modified:
		d.summary.ChangedFiles++
		d.summary.ChangedBytes += uint64(c.New.Size)
	case browse.Touched:
		d.summary.ChangedMetadata++
		if !d.metadata {
			return d.out.Err()
		}
	}
	if d.out.JSON() {
		d.out.Message("change", changeMessage{Source: output.Name(source), Path: output.Name(c.Path), Modifier: string(kind)}, "")
	} else {
		d.out.Line("%-4s %s", kind, placeName(source, c.Path))
	}
	return d.out.Err()
}

func (c *diffCount) add(e *entry.Entry) {
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

func (m diffSummary) text() string {
	var b strings.Builder
	to := "what is there now"
	if m.Target != "" {
		to = m.Target[:shortID]
	}
	fmt.Fprintf(&b, "from snapshot %s to %s\n", m.Source[:shortID], to)
	fmt.Fprintf(&b, "files: %d new, %d removed, %d changed\n", m.Added.Files, m.Removed.Files, m.ChangedFiles)
	fmt.Fprintf(&b, "dirs: %d new, %d removed\n", m.Added.Dirs, m.Removed.Dirs)
	fmt.Fprintf(&b, "others: %d new, %d removed; %d of another type, %d with other metadata\n", m.Added.Others, m.Removed.Others, m.ChangedType, m.ChangedMetadata)
	if m.ChangedTables > 0 {
		fmt.Fprintf(&b, "tables: %d differ\n", m.ChangedTables)
	}
	fmt.Fprintf(&b, "added: %s, changed: %s, removed: %s", output.Bytes(int64(m.Added.Bytes)), output.Bytes(int64(m.ChangedBytes)), output.Bytes(int64(m.Removed.Bytes)))
	return b.String()
}

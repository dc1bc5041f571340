package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/backup"
)

// Backup is what backup prints as JSON at its end.
type Backup struct {
	SnapshotID          string       `json:"snapshot_id,omitempty" doc:"The snapshot; absent after a dry run."`
	Unchanged           string       `json:"unchanged_since,omitempty" doc:"With --skip-if-unchanged: the snapshot since which nothing has changed, so that none was made."`
	Repository          output.Name  `json:"repository" doc:"The address of the repository."`
	RepositoryName      string       `json:"repository_name,omitempty" doc:"How the settings call the repository, if they name several."`
	Set                 string       `json:"set" doc:"The set that was backed up; empty for paths."`
	FilesNew            uint64       `json:"files_new" doc:"Files that the last backup did not have."`
	FilesChanged        uint64       `json:"files_changed" doc:"Files that have changed since."`
	FilesUnmodified     uint64       `json:"files_unmodified" doc:"Files that were not read again."`
	Directories         uint64       `json:"dirs_processed" doc:"Directories in the snapshot."`
	DataBlobs           uint64       `json:"data_blobs" doc:"Chunks that were new to the repository."`
	DataAdded           uint64       `json:"data_added" doc:"Their bytes."`
	DataAddedPacked     uint64       `json:"data_added_packed" doc:"Bytes of the packs that were uploaded, trees included."`
	TotalFilesProcessed uint64       `json:"total_files_processed" doc:"Files in the snapshot."`
	TotalBytesProcessed uint64       `json:"total_bytes_processed" doc:"Their bytes."`
	BytesRead           uint64       `json:"bytes_read" doc:"Bytes that were read from the sources."`
	Missed              uint64       `json:"missed" doc:"Entries that could not be read, or changed while they were."`
	Tripwire            []Trip       `json:"tripwire,omitempty" doc:"What looks like a loss, against the snapshots before; the snapshot is marked then."`
	References          []References `json:"references,omitempty" doc:"Whether what rows refer to is in the snapshot; it is marked where some is not."`
	Orphans             []Orphans    `json:"orphans,omitempty" doc:"Of the sources that rows refer to, how many files no row refers to."`
	TotalDuration       float64      `json:"total_duration" doc:"Seconds."`
	Requests            count.Totals `json:"requests" doc:"Requests to the storage."`
}

// BackupOf says what a backup took.
func BackupOf(s *catalog.Snapshot, o backup.Options, took time.Duration) Backup {
	m := Backup{Set: s.Set, TotalDuration: took.Seconds(), Tripwire: TripsOf(s), References: ReferencesOf(s.References), Orphans: OrphansOf(s.Orphans)}
	if !o.DryRun {
		m.SnapshotID = s.ID.String()
	}
	for i := range s.Sources {
		c := &s.Sources[i].Coverage
		m.FilesNew += c.New
		m.FilesChanged += c.Changed
		m.FilesUnmodified += c.Unmodified
		m.Directories += c.Directories
		m.TotalFilesProcessed += c.Files
		m.TotalBytesProcessed += c.Bytes
		m.Missed += c.Missed
	}
	m.DataBlobs, m.DataAdded = o.Progress.ChunksNew.Load(), o.Progress.BytesNew.Load()
	m.DataAddedPacked, m.BytesRead = o.Progress.BytesPacked.Load(), o.Progress.BytesRead.Load()
	return m
}

// Text is the message for people.
func (m Backup) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "files: %d new, %d changed, %d unmodified\n", m.FilesNew, m.FilesChanged, m.FilesUnmodified)
	fmt.Fprintf(&b, "added: %s, stored as %s\n", output.Bytes(int64(m.DataAdded)), output.Bytes(int64(m.DataAddedPacked)))
	fmt.Fprintf(&b, "processed %s, %s in %s\n", output.Plural(m.TotalFilesProcessed, "file"), output.Bytes(int64(m.TotalBytesProcessed)),
		output.Seconds(m.TotalDuration))
	b.WriteString(ReferencesText(m.References, m.Orphans))
	switch {
	case m.Unchanged != "":
		fmt.Fprintf(&b, "nothing has changed since snapshot %.12s: no snapshot was made", m.Unchanged)
	case m.SnapshotID == "":
		b.WriteString("nothing was stored: this was a dry run")
	default:
		fmt.Fprintf(&b, "snapshot %s saved", m.SnapshotID[:catalog.ShortID])
	}
	return b.String()
}

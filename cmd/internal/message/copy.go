package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/copy"
)

// Copy is what copy prints as JSON at its end.
type Copy struct {
	From            string       `json:"from" doc:"The repository that was read."`
	To              string       `json:"to" doc:"The one that was written."`
	Snapshots       []Copied     `json:"snapshots" doc:"The snapshots that were copied, or would be."`
	There           int          `json:"snapshots_there" doc:"How many of those that were meant are there already."`
	Forgotten       int          `json:"snapshots_forgotten" doc:"How many of these were forgotten there since, and are not copied again."`
	Failed          []string     `json:"snapshots_failed" doc:"The ids of those that could not be read, and were not copied."`
	DataBlobs       uint64       `json:"data_blobs" doc:"Chunks that were new to the repository that was written."`
	DataAdded       uint64       `json:"data_added" doc:"Their bytes."`
	DataAddedPacked uint64       `json:"data_added_packed" doc:"Bytes of the packs that were uploaded, trees included."`
	BytesRead       uint64       `json:"bytes_read" doc:"Bytes of files that were read from the first repository; after a dry run at most so many would be."`
	TotalDuration   float64      `json:"total_duration" doc:"Seconds."`
	RequestsFrom    count.Totals `json:"requests_from" doc:"Requests to the repository that was read."`
	Requests        count.Totals `json:"requests" doc:"Requests to the one that was written."`
	DryRun          bool         `json:"dry_run,omitempty" doc:"Whether nothing was copied."`
}

// Copied is a snapshot that was copied.
type Copied struct {
	Original string      `json:"original" doc:"Its id in the repository that was read."`
	ID       string      `json:"snapshot_id,omitempty" doc:"The id of its copy; absent after a dry run."`
	Set      output.Name `json:"set" doc:"The set; empty for paths."`
	Hostname output.Name `json:"hostname" doc:"The host that took it."`
	Time     time.Time   `json:"time" doc:"When it was taken."`
	Files    uint64      `json:"total_files_processed,omitempty" doc:"Files in it; of a dry run."`
	Bytes    uint64      `json:"total_bytes_processed,omitempty" doc:"Their bytes; of a dry run."`
	Read     uint64      `json:"bytes_read,omitempty" doc:"Bytes of files that would be read for it, at most; of a dry run."`
}

// CopiedOf is a snapshot that is not copied yet.
func CopiedOf(s *catalog.Snapshot) Copied {
	return Copied{Original: s.ID.String(), Set: output.Name(s.Set), Hostname: output.Name(s.Host), Time: s.Time}
}

// Weigh says what copies would take: of each that is missing, its weight.
func (m *Copy) Weigh(missing []*catalog.Snapshot, weights []copy.Weight) {
	for i, w := range weights {
		row := CopiedOf(missing[i])
		row.Files, row.Bytes, row.Read = w.Files, w.Bytes, w.Read
		m.Snapshots, m.BytesRead = append(m.Snapshots, row), m.BytesRead+w.Read
	}
}

// What says what a snapshot is of.
func (r *Copied) What() string {
	what := "paths"
	if r.Set != "" {
		what = "set " + r.Set.String()
	}
	return fmt.Sprintf("%s of host %s, %s", what, r.Hostname, output.Time(r.Time))
}

// Text is the message for people.
func (m *Copy) Text() string {
	var b strings.Builder
	if m.DryRun {
		for _, r := range m.Snapshots {
			fmt.Fprintf(&b, "would copy %s: %s, %s files, %s, of which up to %s are read\n", r.Original[:catalog.ShortID], r.What(), output.Count(int64(r.Files)),
				output.Bytes(int64(r.Bytes)), output.Bytes(int64(r.Read)))
		}
		fmt.Fprintf(&b, "%s would be copied to %s, up to %s of files read; ", output.Plural(len(m.Snapshots), "snapshot"), m.To, output.Bytes(int64(m.BytesRead)))
	} else {
		fmt.Fprintf(&b, "read: %s; added: %s, stored as %s\n", output.Bytes(int64(m.BytesRead)), output.Bytes(int64(m.DataAdded)), output.Bytes(int64(m.DataAddedPacked)))
		fmt.Fprintf(&b, "%s copied to %s in %s; ", output.Plural(len(m.Snapshots), "snapshot"), m.To, output.Seconds(m.TotalDuration))
	}
	fmt.Fprintf(&b, "%s there already", output.Plural(m.There, "snapshot"))
	if m.Forgotten > 0 {
		fmt.Fprintf(&b, ", %d of which forgotten there since", m.Forgotten)
	}
	if m.DryRun {
		b.WriteString("\nnothing was copied: this was a dry run")
	}
	return b.String()
}

package message

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

// Stats is what stats prints as JSON.
type Stats struct {
	Mode             string  `json:"mode" doc:"all, restore-size or raw-data."`
	Snapshots        int     `json:"snapshots_count" doc:"Snapshots that were counted."`
	TotalSize        uint64  `json:"total_size" doc:"Bytes that a restore of all of them writes; in the mode raw-data, bytes that their chunks take in the repository."`
	Files            uint64  `json:"total_file_count,omitempty" doc:"Files in all of them."`
	Chunks           uint64  `json:"total_blob_count,omitempty" doc:"Different chunks, those of trees included."`
	Uncompressed     uint64  `json:"total_uncompressed_size,omitempty" doc:"Bytes of those before compression."`
	Stored           uint64  `json:"stored_size,omitempty" doc:"Bytes of those in the repository, without what packs add to them."`
	Trees            uint64  `json:"tree_size,omitempty" doc:"How many of the stored bytes are pages of trees."`
	CompressionRatio float64 `json:"compression_ratio,omitempty" doc:"Bytes before compression for each stored one."`
	Saving           float64 `json:"compression_space_saving,omitempty" doc:"Per cent that compression saves."`
	Deduplication    float64 `json:"deduplication_ratio,omitempty" doc:"Bytes that a restore writes for each byte of a different chunk; absent in the mode raw-data."`
}

// StatsOf says what snapshots take that weigh w together. In the mode restore-size the weight does
// not count.
func StatsOf(mode string, snapshots []*catalog.Snapshot, w browse.Weight) Stats {
	m := Stats{Mode: mode, Snapshots: len(snapshots)}
	if mode != "raw-data" {
		m.Files, m.TotalSize = browse.Sizes(snapshots)
	}
	if mode != "restore-size" {
		m.Chunks, m.Uncompressed, m.Stored, m.Trees = w.Chunks, w.Raw, w.Stored, w.Trees
		m.divide(w.Data)
	}
	return m
}

// divide fills in the ratios. data is how many of the bytes before compression are content.
func (m *Stats) divide(data uint64) {
	if m.Stored > 0 {
		m.CompressionRatio = float64(m.Uncompressed) / float64(m.Stored)
		m.Saving = 100 * (1 - 1/m.CompressionRatio)
	}
	if m.Mode == "raw-data" {
		m.TotalSize = m.Stored
	} else if data > 0 {
		m.Deduplication = float64(m.TotalSize) / float64(data)
	}
}

// Text is the message for people.
func (m Stats) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "snapshots:      %d", m.Snapshots)
	if m.Mode != "raw-data" {
		fmt.Fprintf(&b, "\nfiles:          %s\nrestore size:   %s", output.Count(int64(m.Files)), output.Bytes(int64(m.TotalSize)))
	}
	if m.Mode == "restore-size" {
		return b.String()
	}
	fmt.Fprintf(&b, "\nchunks:         %s, %s before compression", output.Count(int64(m.Chunks)), output.Bytes(int64(m.Uncompressed)))
	fmt.Fprintf(&b, "\nstored:         %s, of which trees %s", output.Bytes(int64(m.Stored)), output.Bytes(int64(m.Trees)))
	if m.Deduplication > 0 {
		fmt.Fprintf(&b, "\ndeduplication:  %.2f : 1", m.Deduplication)
	}
	if m.CompressionRatio > 0 {
		fmt.Fprintf(&b, "\ncompression:    %.2f : 1", m.CompressionRatio)
	}
	return b.String()
}

// StatsRow is a line of stats --by.
type StatsRow struct {
	Group     output.Name `json:"group" doc:"The id of the snapshot, the set (empty: backups of paths) or the host."`
	Time      time.Time   `json:"time" doc:"When the first snapshot of the group was taken."`
	Snapshots int         `json:"snapshots_count" doc:"Snapshots of the group."`
	Files     uint64      `json:"total_file_count" doc:"Files in all of them."`
	TotalSize uint64      `json:"total_size" doc:"Bytes that a restore of all of them writes."`
	Added     uint64      `json:"data_added_packed" doc:"Stored bytes that no group before it needs."`
	Alone     uint64      `json:"data_alone" doc:"Stored bytes that no other group needs."`
}

// StatsTable is a line for each group; by says what they are: snapshot, set or host.
func StatsTable(by string, rows []StatsRow) output.Table {
	table := output.Table{Head: []string{map[string]string{"snapshot": "SNAPSHOT", "set": "SET", "host": "HOST"}[by], "TIME", "SNAPSHOTS", "FILES", "RESTORE SIZE", "ADDED", "ALONE"},
		Right: []int{2, 3, 4, 5, 6}, Cut: []int{0}}
	for _, r := range rows {
		name := output.OrDash(r.Group.String())
		if by == "snapshot" {
			name = name[:catalog.ShortID]
		}
		table.Rows = append(table.Rows, []string{name, output.Time(r.Time), strconv.Itoa(r.Snapshots), output.Count(int64(r.Files)), output.Bytes(int64(r.TotalSize)),
			output.Bytes(int64(r.Added)), output.Bytes(int64(r.Alone))})
	}
	if len(rows) == 0 {
		table.Footer = "no snapshot matches"
	}
	return table
}

// StatsRowsOf are the rows of groups of snapshots, each with its share and its name.
func StatsRowsOf(groups [][]*catalog.Snapshot, shares []browse.Share, name func(*catalog.Snapshot) string) (rows []StatsRow) {
	for i, group := range groups {
		files, size := browse.Sizes(group)
		rows = append(rows, StatsRow{
			Group: output.Name(name(group[0])), Time: group[0].Time, Snapshots: len(group), Files: files, TotalSize: size, Added: shares[i].Added, Alone: shares[i].Alone,
		})
	}
	return rows
}

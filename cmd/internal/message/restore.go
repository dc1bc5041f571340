package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/thaw"
)

// Restore is what restore prints as JSON at its end.
type Restore struct {
	SnapshotID    string  `json:"snapshot_id" doc:"The snapshot."`
	DryRun        bool    `json:"dry_run,omitempty" doc:"Whether nothing was changed: the counts are of what would have been done."`
	FilesRestored uint64  `json:"files_restored" doc:"Entries that were written."`
	FilesSkipped  uint64  `json:"files_skipped" doc:"Entries that were left as they are."`
	FilesDeleted  uint64  `json:"files_deleted" doc:"Entries that were removed."`
	FilesFailed   uint64  `json:"files_failed" doc:"Entries that did not come back."`
	BytesRestored uint64  `json:"bytes_restored" doc:"Bytes of the files that were written."`
	BytesReused   uint64  `json:"bytes_reused" doc:"Of these, bytes that were in the old files at their place, and so were not fetched."`
	TotalDuration float64 `json:"total_duration" doc:"Seconds."`
	PacksToThaw   int     `json:"packs_to_thaw,omitempty" doc:"Of a dry run: packs that the storage has archived and must thaw first, which it bills."`
	BytesToThaw   int64   `json:"bytes_to_thaw,omitempty" doc:"Their bytes."`

	Requests count.Totals `json:"requests" doc:"Requests to the storage."`
}

// RestoreOf says what was done.
func RestoreOf(s *catalog.Snapshot, done restore.Result, frozen thaw.Plan, took time.Duration) Restore {
	return Restore{
		SnapshotID: s.ID.String(), FilesRestored: done.Restored, FilesSkipped: done.Kept, FilesDeleted: done.Deleted, FilesFailed: done.Failed,
		BytesRestored: done.Bytes, BytesReused: done.Reused, TotalDuration: took.Seconds(), PacksToThaw: frozen.Packs, BytesToThaw: frozen.Bytes,
	}
}

// Text is the message for people.
func (m Restore) Text() string {
	text := fmt.Sprintf("snapshot %s: %d restored (%s), %d left as they are, %d deleted in %s", m.SnapshotID[:catalog.ShortID], m.FilesRestored,
		output.Bytes(int64(m.BytesRestored)), m.FilesSkipped, m.FilesDeleted, output.Seconds(m.TotalDuration))
	if m.BytesReused > 0 {
		text += fmt.Sprintf(", %s were there already", output.Bytes(int64(m.BytesReused)))
	}
	if m.FilesFailed > 0 {
		text += fmt.Sprintf(", %d not restored", m.FilesFailed)
	}
	if m.DryRun {
		text += "; nothing was changed: this was a dry run"
	}
	return text
}

// MustThaw says what must be thawed, and how to go on.
func MustThaw(p thaw.Plan) string {
	text := "the storage has archived " + p.String() + ", " + output.Bytes(p.Bytes) + ", and must thaw them first"
	if p.Thawing == p.Packs {
		return text + "; it was asked to, and is doing so. Repeat this command when it is done; with --thaw --thaw-wait it waits for that"
	}
	return text + ", which it bills. Ask for it by repeating this command with --thaw; -n says what a restore needs"
}

// BackTo says where a source comes back to, and whether that is another place than it was at.
func BackTo(s *catalog.SourceState, now string) (text string, elsewhere bool) {
	switch {
	case s.Name == catalog.AdHoc:
		return "back to " + strings.Join(s.Paths, ", "), false
	case now != s.Location:
		return fmt.Sprintf("was at %s; it comes back to %s, where the settings have it now", s.Location, now), true
	}
	return fmt.Sprintf("%s: back to %s", s.Name, now), false
}

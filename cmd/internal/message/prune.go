package message

import (
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

// Prune is what prune prints as JSON at its end.
type Prune struct {
	Packs      int       `json:"packs_deleted" doc:"How many packs were deleted, or would be."`
	Bytes      int64     `json:"bytes_freed" doc:"Their bytes."`
	Stored     int64     `json:"bytes_stored" doc:"Bytes of all packs before."`
	Later      int64     `json:"bytes_later" doc:"Bytes of what was forgotten and is within its grace."`
	LaterUntil time.Time `json:"later_until,omitzero" doc:"When the last of these may be deleted."`
	Leftovers  int       `json:"leftovers" doc:"Packs that no record names: the next run deletes those that are there still."`
	RolledUp   int       `json:"records_rolled_up,omitempty" doc:"How many records were rolled up."`
	Ended      []string  `json:"ended_sessions,omitempty" doc:"Sessions that were declared dead."`
	Locked     int       `json:"packs_locked,omitempty" doc:"Packs that could not be deleted yet, since they are locked."`
	LockedSize int64     `json:"bytes_locked,omitempty" doc:"Their bytes."`
	LockedTill time.Time `json:"locked_until,omitzero" doc:"When the last of these may be deleted."`
	Plan       string    `json:"plan,omitempty" doc:"The file with the plan that was written."`
	Repack
	DryRun bool `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// PruneOf says what a run has done.
func PruneOf(r *collect.Report) Prune {
	m := Prune{
		Packs: r.Deleted, Bytes: r.Bytes, Leftovers: r.Sighted, RolledUp: r.RolledUp, Ended: r.Ended,
		Locked: r.Locked, LockedSize: r.LockedBytes, LockedTill: r.LockedUntil,
		Repack: Repack{r.Moved, r.MovedBytes, r.NewBytes, r.Archived, r.ArchivedBytes},
	}
	if p := r.Plan; p != nil {
		m.Stored, m.Later, m.LaterUntil = p.Stored, p.Later, p.LaterAt
	}
	return m
}

// PrunePlanOf says what a run would do, and in which file that was written down; "": in none.
func PrunePlanOf(p *collect.Plan, r Repack, file string) Prune {
	return Prune{
		Packs: len(p.Packs), Bytes: p.Bytes, Stored: p.Stored, Later: p.Later, LaterUntil: p.LaterAt, Leftovers: len(p.Sighted),
		Plan: file, Repack: r, DryRun: true,
	}
}

// Outcome is how a run ended that has ended with err, with what to do about it.
func (m Prune) Outcome(err error) error {
	switch {
	case errors.Is(err, collect.ErrTimeUp):
		return fmt.Errorf("%w (--max-duration): deleted %s, %s; the next run continues", err, output.Plural(m.Packs, "pack"), output.Bytes(m.Bytes))
	case errors.Is(err, collect.ErrChanged):
		return fmt.Errorf("%w; nothing was deleted", err)
	case errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrArchived):
		return fmt.Errorf("%w: the credentials must be allowed to delete, as packstone doctor --print-policy collector prints", err)
	}
	return err
}

// OldVersions says where what was deleted goes on taking room, since the bucket keeps versions; ""
// if it does not.
func OldVersions(found store.Protection) string {
	switch {
	case !found.Versions:
		return ""
	case found.Old > 0:
		return fmt.Sprintf("the bucket keeps versions: what was deleted takes room until its rule removes it, %s later, and until its lock ends", retention.Period(found.Old))
	}
	return "the bucket keeps versions: what was deleted goes on taking room until a rule of its lifecycle removes old versions; see docs/immutability.md"
}

// Text is the message for people.
func (m Prune) Text() string {
	done := "deleted"
	if m.DryRun {
		done = "would delete"
	}
	text := fmt.Sprintf("%s %s, %s of %s", done, output.Plural(m.Packs, "pack"), output.Bytes(m.Bytes), output.Bytes(m.Stored))
	if m.Later > 0 {
		text += fmt.Sprintf("\n%s more belong to forgotten snapshots, and can be deleted after the grace period, by %s at the latest", output.Bytes(m.Later), output.Time(m.LaterUntil))
	}
	text += m.Repack.Text(m.DryRun)
	if m.Leftovers > 0 {
		text += fmt.Sprintf("\nfound %s without a record: the next prune deletes those of interrupted backups", output.Plural(m.Leftovers, "pack"))
	}
	text += m.lockedText()
	if m.Plan != "" {
		text += "\nwrote the plan to " + m.Plan
	}
	return text
}

// lockedText says which packs are locked, and until when.
func (m Prune) lockedText() string {
	switch {
	case m.Locked == 0:
		return ""
	case m.LockedTill.IsZero():
		return fmt.Sprintf("\n%s, %s, cannot be deleted yet: the storage has locked them; each prune tries again", output.Plural(m.Locked, "pack"), output.Bytes(m.LockedSize))
	}
	return fmt.Sprintf("\n%s, %s, cannot be deleted yet: the storage has locked them, the last until %s; a prune after that deletes them",
		output.Plural(m.Locked, "pack"), output.Bytes(m.LockedSize), output.Time(m.LockedTill))
}

// Repack is what prune --repack did.
type Repack struct {
	Moved         int   `json:"packs_repacked,omitempty" doc:"How many packs were copied anew, or would be."`
	MovedBytes    int64 `json:"bytes_repacked,omitempty" doc:"Their bytes."`
	NewBytes      int64 `json:"bytes_rewritten,omitempty" doc:"Bytes of the packs that took what was needed of them."`
	Archived      int   `json:"packs_archived,omitempty" doc:"Packs that were not copied since the storage has archived them."`
	ArchivedBytes int64 `json:"bytes_archived,omitempty" doc:"Their bytes."`
}

// Text is what it adds to the message for people.
func (m Repack) Text(dry bool) string {
	left := ""
	if m.Archived > 0 {
		left = fmt.Sprintf("\nnot repacked: %s, %s, which the storage has archived; they are deleted when nothing needs them", output.Plural(m.Archived, "pack"), output.Bytes(m.ArchivedBytes))
	}
	switch {
	case m.Moved == 0:
		return left
	case dry:
		return left + fmt.Sprintf("\nwould repack %s, %s, into about %s", output.Plural(m.Moved, "pack"), output.Bytes(m.MovedBytes), output.Bytes(m.NewBytes))
	}
	return left + fmt.Sprintf("\nrepacked %s, %s, into %s", output.Plural(m.Moved, "pack"), output.Bytes(m.MovedBytes), output.Bytes(m.NewBytes))
}

// RepackPlanOf says what --repack would do.
func RepackPlanOf(t *collect.Thinning) Repack {
	return Repack{len(t.Packs), t.Bytes, t.Bytes - t.Unused, t.Archived, t.ArchivedBytes}
}

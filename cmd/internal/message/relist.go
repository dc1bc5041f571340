package message

import (
	"fmt"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/check"
)

// Relist is what repair --from packs prints as JSON at its end.
type Relist struct {
	Unlisted uint64   `json:"packs_unlisted" doc:"Packs that are there and that no index run listed, since runs are lost or damaged."`
	Listed   uint64   `json:"packs_listed" doc:"Those that a new index run lists: each was read in full."`
	Gone     uint64   `json:"packs_gone,omitempty" doc:"Those that were collected meanwhile."`
	Bytes    uint64   `json:"bytes" doc:"Bytes of the packs that were not listed."`
	Left     []Damage `json:"left" doc:"Packs that are still not listed, since they are damaged, archived or of another key; and records whose references cannot be read."`
	DryRun   bool     `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// RelistOf is what a rebuild of the index has done. With dry nothing was changed.
func RelistOf(r *check.Rebuild, dry bool) Relist {
	return Relist{Unlisted: r.Unlisted, Listed: r.Listed, Gone: r.Gone, Bytes: r.Bytes, Left: append([]Damage{}, DamageOf(r.Left)...), DryRun: dry}
}

// Text is the message for people.
func (m Relist) Text() string {
	switch size := output.Bytes(int64(m.Bytes)); {
	case m.Unlisted == 0 && len(m.Left) > 0:
		return "the index lists every pack of which the records that can be read tell"
	case m.Unlisted == 0:
		return "the index lists every pack"
	case m.DryRun:
		return fmt.Sprintf("no index run lists %s (%s); nothing was changed", output.Plural(m.Unlisted, "pack"), size)
	case m.Gone > 0:
		return fmt.Sprintf("read %s and listed %d of %s again; %d were collected meanwhile", size, m.Listed, output.Plural(m.Unlisted, "pack"), m.Gone)
	default:
		return fmt.Sprintf("read %s and listed %d of %s again", size, m.Listed, output.Plural(m.Unlisted, "pack"))
	}
}

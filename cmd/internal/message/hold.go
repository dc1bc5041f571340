package message

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Hold is what hold, unhold and undelete print as JSON at their end.
type Hold struct {
	Snapshots []string  `json:"snapshots" doc:"The ids of the snapshots."`
	Until     time.Time `json:"until,omitzero" doc:"When the hold ends by itself."`
	DryRun    bool      `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Text is what a verb did, for a person.
func (m Hold) Text(verb string) string {
	done := map[string]string{"hold": "holds", "unhold": "no longer holds", "undelete": "brought back"}[verb]
	if m.DryRun {
		done = "would " + verb
	}
	text := fmt.Sprintf("%s %s", done, output.Plural(len(m.Snapshots), "snapshot"))
	for _, id := range m.Snapshots {
		text += " " + id[:catalog.ShortID]
	}
	if !m.Until.IsZero() {
		text += " until " + output.Time(m.Until)
	}
	return text
}

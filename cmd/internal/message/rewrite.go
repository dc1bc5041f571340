package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/rewrite"
)

// Rewrite is what rewrite prints as JSON at its end.
type Rewrite struct {
	Rewritten int         `json:"rewritten" doc:"How many snapshots were made anew, or would be."`
	Unchanged int         `json:"unchanged" doc:"How many stay, since nothing matches in them."`
	Forgotten int         `json:"forgotten" doc:"How many were forgotten, since others have taken their place."`
	Snapshots []Rewritten `json:"snapshots" doc:"Those that were made anew."`
	DryRun    bool        `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// Rewritten is what became of one snapshot.
type Rewritten struct {
	ID     string `json:"id" doc:"The id of the snapshot that was."`
	New    string `json:"new_id,omitempty" doc:"The id of the one that has taken its place."`
	Files  uint64 `json:"files_removed" doc:"Files that are left out."`
	Others uint64 `json:"others_removed" doc:"Directories, links and the like that are."`
	Bytes  uint64 `json:"bytes_removed" doc:"Bytes of the files."`
}

// RewriteOf says what became of snapshots, of which some were forgotten, or with dry what would.
func RewriteOf(p *rewrite.Plan, forgotten int, dry bool) Rewrite {
	m := Rewrite{Rewritten: len(p.Cuts), Unchanged: p.Unchanged, Forgotten: forgotten, Snapshots: []Rewritten{}, DryRun: dry}
	for _, cut := range p.Cuts {
		row := Rewritten{ID: cut.Snapshot.ID.String(), Files: cut.Files, Others: cut.Others, Bytes: cut.Bytes}
		if cut.New != nil {
			row.New = cut.New.ID.String()
		}
		m.Snapshots = append(m.Snapshots, row)
	}
	return m
}

// Text is the message for people.
func (m Rewrite) Text() string {
	var text strings.Builder
	for _, row := range m.Snapshots {
		made := "would be rewritten"
		if row.New != "" {
			made = "is now " + row.New[:catalog.ShortID]
		}
		fmt.Fprintf(&text, "snapshot %s %s, without %s (%s) and %s\n", row.ID[:catalog.ShortID], made, output.Plural(row.Files, "file"), output.Bytes(int64(row.Bytes)), output.Plural(row.Others, "other entry"))
	}
	switch {
	case m.DryRun:
		fmt.Fprintf(&text, "would rewrite %s, and leave %d without a match as they are; nothing was changed", output.Plural(m.Rewritten, "snapshot"), m.Unchanged)
	case m.Forgotten == 0:
		fmt.Fprintf(&text, "nothing matches in %s: nothing was changed", output.Plural(m.Unchanged, "snapshot"))
	default:
		fmt.Fprintf(&text, "rewrote %s, forgot %d, and left %d without a match as they are\n", output.Plural(m.Rewritten, "snapshot"), m.Forgotten, m.Unchanged)
		text.WriteString("the removed files stay in the storage until: packstone prune --repack --max-unused 0% --grace 0")
	}
	return text.String()
}

package message

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

// Forget is what forget prints as JSON at its end.
type Forget struct {
	Forgotten int         `json:"forgotten" doc:"How many snapshots were forgotten, or would be."`
	Kept      int         `json:"kept" doc:"How many stay."`
	Freed     int64       `json:"freed_bytes,omitempty" doc:"In a dry run, bytes that become free if all of them are forgotten."`
	Snapshots []ForgetRow `json:"snapshots" doc:"What was decided about each."`
	Until     time.Time   `json:"undelete_until,omitzero" doc:"Until when nothing of them is deleted, unless --grace says otherwise."`
	DryRun    bool        `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// ForgetRow is what was decided about one snapshot.
type ForgetRow struct {
	ID        string      `json:"id" doc:"The snapshot's id."`
	Time      time.Time   `json:"time" doc:"When it was taken."`
	Set       output.Name `json:"set" doc:"Its set; empty for paths."`
	Hostname  output.Name `json:"hostname" doc:"Its host; empty without an identity."`
	Forgotten bool        `json:"forgotten" doc:"Whether it is forgotten."`
	Keep      []string    `json:"keep,omitempty" doc:"What keeps it."`
	Freed     int64       `json:"freed_bytes,omitempty" doc:"In a dry run, bytes that become free if it alone is forgotten."`
}

// ForgetOf says what was decided about snapshots, of which some are known.
func ForgetOf(f *admin.Forgetting, snapshots []*catalog.Snapshot) Forget {
	m := Forget{Snapshots: []ForgetRow{}}
	for _, verdict := range f.Verdicts {
		row := ForgetRow{ID: verdict.ID, Time: verdict.Time, Forgotten: !verdict.Kept(), Keep: verdict.Keep}
		if i := slices.IndexFunc(snapshots, func(s *catalog.Snapshot) bool { return s.ID.String() == row.ID }); i >= 0 {
			row.Set, row.Hostname = output.Name(snapshots[i].Set), output.Name(snapshots[i].Host)
		}
		if row.Forgotten {
			m.Forgotten++
		} else {
			m.Kept++
		}
		m.Snapshots = append(m.Snapshots, row)
	}
	return m
}

// UndeleteFor says that nothing of what was forgotten now is deleted for a time.
func (m *Forget) UndeleteFor(now time.Time, grace time.Duration) {
	if grace > 0 {
		m.Until = now.Add(grace)
	}
}

// Weigh says what becomes free if each is forgotten alone, and those of gone together.
func (m *Forget) Weigh(w *collect.Weights, gone []archive.Name) error {
	for i := range m.Snapshots {
		id, err := archive.ParseName(m.Snapshots[i].ID)
		if err != nil {
			return err
		}
		m.Snapshots[i].Freed = w.Alone(id)
	}
	m.Freed = w.Together(gone)
	return nil
}

// Text is the message for people; layOut formats a table.
func (m Forget) Text(layOut func(output.Table) string) string {
	table := output.Table{Head: []string{"ID", "TIME", "SET", "HOST", "KEPT BY"}, Cut: []int{2, 3, 4}}
	if m.DryRun {
		table.Head, table.Right = append(table.Head, "FREES"), []int{5}
	}
	for _, row := range m.Snapshots {
		if !row.Forgotten && !m.DryRun {
			continue
		}
		kept := strings.Join(row.Keep, ", ")
		if row.Forgotten {
			kept = "- forgotten"
		}
		cells := []string{row.ID[:catalog.ShortID], output.Time(row.Time), output.OrDash(row.Set.String()), output.OrDash(row.Hostname.String()), kept}
		if m.DryRun {
			cells = append(cells, output.Bytes(row.Freed))
		}
		table.Rows = append(table.Rows, cells)
	}
	return tableText(layOut(table)) + m.summary()
}

// tableText is a table before a summary, or nothing if it has no rows.
func tableText(table string) string {
	if table == "" {
		return ""
	}
	return strings.TrimRight(table, "\n") + "\n"
}

func (m Forget) summary() string {
	switch {
	case m.DryRun:
		return fmt.Sprintf("would forget %s, which frees %s, and keep %d; nothing was changed", output.Plural(m.Forgotten, "snapshot"), output.Bytes(m.Freed), m.Kept)
	case m.Forgotten == 0:
		return fmt.Sprintf("forgot nothing, kept %s", output.Plural(m.Kept, "snapshot"))
	}
	text := fmt.Sprintf("forgot %s, kept %d", output.Plural(m.Forgotten, "snapshot"), m.Kept)
	if !m.Until.IsZero() {
		text += "; packstone undelete brings them back until " + output.Time(m.Until)
	}
	return text
}

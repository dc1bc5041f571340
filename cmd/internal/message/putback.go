package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database/convert"
)

// PutBack is what restore --into-existing prints as JSON at its end.
type PutBack struct {
	SnapshotID    string         `json:"snapshot_id" doc:"The snapshot."`
	DryRun        bool           `json:"dry_run,omitempty" doc:"Whether nothing was changed: the counts are of what would have been done."`
	Tables        []PutBackTable `json:"tables" doc:"The tables."`
	TotalDuration float64        `json:"total_duration" doc:"Seconds."`
}

// PutBackTable is a table that is there, and what came back to it.
type PutBackTable struct {
	Table   string `json:"table" doc:"Its name in the snapshot."`
	Target  string `json:"target" doc:"Its name in the database."`
	Rows    int64  `json:"rows" doc:"Rows in the snapshot."`
	There   int64  `json:"there" doc:"Of these, rows whose key the table had already. They stay as they are."`
	PutBack int64  `json:"put_back" doc:"Of these, rows that were put back."`
	Altered int64  `json:"altered" doc:"Rows that were put back and are not as they were: a trigger changed them or left them out."`
}

// PutBackOf says what came back of a snapshot, or with dry would.
func PutBackOf(s *catalog.Snapshot, tables []convert.Refilled, took time.Duration, dry bool) PutBack {
	m := PutBack{SnapshotID: s.ID.String(), DryRun: dry, TotalDuration: took.Seconds()}
	for _, t := range tables {
		m.Tables = append(m.Tables, PutBackTable{t.Table, t.Target, t.Rows, t.There(), t.Put, t.Altered})
	}
	return m
}

// Altered counts the rows that are not as they were.
func (m PutBack) Altered() (n int64) {
	for _, t := range m.Tables {
		n += t.Altered
	}
	return n
}

// Text is the message for people.
func (m PutBack) Text() string {
	var lines []string
	for _, t := range m.Tables {
		done := "put back"
		if m.DryRun {
			done = "to put back"
		}
		line := fmt.Sprintf("table %s: %s in the snapshot, %d there already, %d %s", t.Target, output.Plural(t.Rows, "row"), t.There, t.PutBack, done)
		if t.Altered > 0 {
			line += fmt.Sprintf(", %d of them not as they were", t.Altered)
		}
		lines = append(lines, line)
	}
	if m.DryRun {
		lines = append(lines, "nothing was changed: this was a dry run")
	}
	return strings.Join(lines, "\n")
}

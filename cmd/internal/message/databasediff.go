package message

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
)

// TableChange is a table that differs, as JSON.
type TableChange struct {
	Table   string   `json:"table" doc:"Its name in the first snapshot, or in the one that has it."`
	Only    string   `json:"only,omitempty" doc:"- if only the first snapshot has the table, + if only the second."`
	Rows    int64    `json:"rows,omitempty" doc:"Rows of such a table."`
	Added   int64    `json:"added" doc:"Rows that only the second snapshot has."`
	Removed int64    `json:"removed" doc:"Rows that only the first snapshot has."`
	Changed int64    `json:"changed" doc:"Rows with the same key and other values."`
	Columns []string `json:"columns,omitempty" doc:"How the columns differ."`
	Keys    []string `json:"keys" doc:"The keys of the first rows that differ, each after +, - or M."`
}

// TableChangeOf is how a table differs, with the keys of the first rows.
func TableChangeOf(r rowdiff.Result, keys []string) TableChange {
	m := TableChange{Table: r.Table, Only: string(r.Only), Added: r.Added, Removed: r.Removed, Changed: r.Changed, Columns: r.Columns, Keys: append([]string{}, keys...)}
	if r.Only != "" {
		m.Rows = r.Rows
	}
	return m
}

// TableChangeText is the same for people, a line each; more is how many other rows differ.
func TableChangeText(r rowdiff.Result, keys []string, more int64) []string {
	switch r.Only {
	case rowdiff.Removed:
		return []string{fmt.Sprintf("table %s: only in the first snapshot, with %s", output.Name(r.Table), output.Plural(r.Rows, "row"))}
	case rowdiff.Added:
		return []string{fmt.Sprintf("table %s: only in the second snapshot, with %s", output.Name(r.Table), output.Plural(r.Rows, "row"))}
	}
	lines := []string{fmt.Sprintf("table %s: %d added, %d removed, %d changed", output.Name(r.Table), r.Added, r.Removed, r.Changed)}
	for _, line := range slices.Concat(r.Columns, keys) {
		lines = append(lines, "  "+line)
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

// DatabaseDiff is what db diff prints as JSON at its end.
type DatabaseDiff struct {
	Source        string  `json:"source_snapshot" doc:"The first snapshot."`
	Target        string  `json:"target_snapshot" doc:"The second snapshot."`
	Tables        int     `json:"tables" doc:"Tables that were compared."`
	Differ        int     `json:"tables_changed" doc:"Of these, tables that differ."`
	Added         int64   `json:"added" doc:"Rows that only the second snapshot has."`
	Removed       int64   `json:"removed" doc:"Rows that only the first snapshot has."`
	Changed       int64   `json:"changed" doc:"Rows with the same key and other values."`
	Inserts       int64   `json:"inserts" doc:"Rows that the script inserts."`
	Updates       int64   `json:"updates" doc:"Rows that the script sets back."`
	TotalDuration float64 `json:"total_duration" doc:"Seconds."`
}

// Count counts a table that was compared, and tells whether it differs.
func (m *DatabaseDiff) Count(r rowdiff.Result) bool {
	m.Tables++
	if r.Equal() {
		return false
	}
	m.Differ++
	m.Added, m.Removed, m.Changed = m.Added+r.Added, m.Removed+r.Removed, m.Changed+r.Changed
	return true
}

// Text is the message for people; script names the file that was written, "" if none.
func (m DatabaseDiff) Text(script string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "from snapshot %s to %s: %s compared, %d differ; rows: %d added, %d removed, %d changed", m.Source[:catalog.ShortID], m.Target[:catalog.ShortID],
		output.Plural(m.Tables, "table"), m.Differ, m.Added, m.Removed, m.Changed)
	if script != "" {
		fmt.Fprintf(&b, "\nwrote %s, which inserts %s and sets %d back", script, output.Plural(m.Inserts, "row"), m.Updates)
	}
	return b.String()
}

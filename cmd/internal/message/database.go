package message

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
)

// Database is what the verbs of db print as JSON at their end.
type Database struct {
	Action        string          `json:"action" doc:"What was done: export, import, verify or restore."`
	DryRun        bool            `json:"dry_run,omitempty" doc:"Whether nothing was changed: it says what would have been done."`
	Source        string          `json:"source" doc:"Engine and version of the source."`
	Moment        string          `json:"moment,omitempty" doc:"The snapshot in the engine's own terms."`
	Rows          int64           `json:"rows" doc:"Rows that were copied or compared."`
	Bytes         int64           `json:"bytes" doc:"Their bytes in canonical form."`
	Verified      bool            `json:"verified" doc:"Whether the copy was read back and found equal."`
	ReadBack      float64         `json:"read_back_duration,omitempty" doc:"Seconds from the begin of that to its end; keys and indexes may have been built meanwhile."`
	Tables        []DatabaseTable `json:"tables" doc:"The tables."`
	Exact         int             `json:"exact" doc:"Number of objects that were kept exactly."`
	Inexact       []Finding       `json:"inexact" doc:"Objects and values that were not."`
	Chosen        int             `json:"chosen,omitempty" doc:"Number of objects that hang on tables that were left out."`
	Untrusted     []Finding       `json:"untrusted,omitempty" doc:"What runs with a superuser's rights though it belongs to no superuser."`
	Statements    []string        `json:"statements,omitempty" doc:"With --dry-run, the statements that came with the database and would run."`
	TotalDuration float64         `json:"total_duration" doc:"Seconds."`
}

// DatabaseTable is a table that was copied or compared.
type DatabaseTable struct {
	Table  string `json:"table" doc:"Its name in the source."`
	Target string `json:"target" doc:"Its name in the copy."`
	Rows   int64  `json:"rows" doc:"Rows."`
	Digest string `json:"digest" doc:"Sum of the SHA-256 of its rows in canonical form."`
}

// Finding is an object or a value that was not kept exactly.
type Finding struct {
	Kind   string `json:"kind" doc:"What kind of object it is."`
	Object string `json:"object" doc:"Its name."`
	Status string `json:"status" doc:"approximated, sidecar (its definition is kept beside the data) or dropped."`
	Code   string `json:"code,omitempty" doc:"A code that stays the same between versions."`
	Reason string `json:"reason,omitempty" doc:"Why."`
	Count  int64  `json:"count,omitempty" doc:"Values concerned, where they were counted."`
}

// DatabaseOf says what was done, or with dry would have been done.
func DatabaseOf(action string, r *database.Report, took time.Duration, dry bool) Database {
	m := Database{
		Action: action, Source: r.Source, Moment: r.Moment, Verified: r.Verified, ReadBack: r.ReadBack.Seconds(), TotalDuration: took.Seconds(),
		Tables: []DatabaseTable{}, Inexact: []Finding{}, DryRun: dry,
	}
	if dry {
		m.Statements = r.Statements
	}
	for _, t := range r.Tables {
		m.Rows += t.Rows
		m.Bytes += t.Bytes
		m.Tables = append(m.Tables, DatabaseTable{t.Table, t.Target, t.Rows, t.Digest.String()})
	}
	for _, f := range r.Inexact() {
		m.Inexact = append(m.Inexact, findingOf(f))
	}
	for _, f := range r.Untrusted {
		m.Untrusted = append(m.Untrusted, findingOf(f))
	}
	m.Chosen = r.Chosen()
	m.Exact = len(r.Findings) - len(m.Inexact) - m.Chosen
	return m
}

func findingOf(f database.Finding) Finding {
	name := strings.TrimPrefix(f.Object.String(), f.Object.Kind+" ")
	return Finding{f.Object.Kind, name, string(f.Status), string(f.Code), f.Reason, f.Count}
}

// Text is the message for people. Before the summary it lists what is not as it was.
func (m Database) Text(r *database.Report) string {
	var b strings.Builder
	if m.Chosen > 0 {
		fmt.Fprintf(&b, "left out %s that belong to tables that were left out\n", output.Plural(m.Chosen, "object"))
	}
	for _, f := range slices.Concat(r.Inexact(), r.Untrusted) {
		b.WriteString(f.String() + "\n")
	}
	b.WriteString(wouldRun(m.Statements))
	b.WriteString(m.summary())
	return b.String()
}

func (m Database) summary() string {
	objects := fmt.Sprintf("%s exact, %d not", output.Plural(m.Exact, "object"), len(m.Inexact))
	switch {
	case m.DryRun:
		return fmt.Sprintf("%s of %s: no rows were read; %s; nothing was changed: this was a dry run", m.Action, m.Source, objects)
	case len(m.Tables) == 0:
		return fmt.Sprintf("%s of %s: no rows were read; %s", m.Action, m.Source, objects)
	}
	took := output.Seconds(m.TotalDuration)
	text := fmt.Sprintf("%s of %s: %s, %s (%s) in %s; %s", m.Action, m.Source, output.Plural(len(m.Tables), "table"), output.Plural(m.Rows, "row"), output.Bytes(m.Bytes), took, objects)
	if m.Verified {
		text += "; read back and found equal"
	}
	if m.ReadBack > 0 {
		text += fmt.Sprintf(", which took %s", output.Seconds(m.ReadBack))
	}
	return text
}

// wouldRun prints statements as one could run them.
func wouldRun(statements []string) string {
	if len(statements) == 0 {
		return ""
	}
	return "these statements came with the database and would run:\n" + strings.Join(statements, ";\n") + ";\n"
}

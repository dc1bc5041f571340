package message

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/archive/store/count"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// References is what became of a rule that rows refer to files, in JSON.
type References struct {
	From     output.Name   `json:"from" doc:"The column, or the table, that refers."`
	To       output.Name   `json:"to" doc:"The source that it refers to."`
	Path     output.Name   `json:"path,omitempty" doc:"How a path is made of columns; absent: the value is the path."`
	Strip    output.Name   `json:"strip,omitempty" doc:"What stands before the path in the values that have it."`
	Nulls    bool          `json:"nulls,omitempty" doc:"Whether null leads to nothing; else it is no reference."`
	Rows     uint64        `json:"rows" doc:"Rows that refer to something."`
	Dangling uint64        `json:"dangling" doc:"Of them, those that lead to nothing in the snapshot."`
	First    []DanglingRow `json:"first,omitempty" doc:"The first of those."`
	Failed   output.Name   `json:"failed,omitempty" doc:"Why it could not be tested."`
}

// DanglingRow is a row that refers to nothing, in JSON.
type DanglingRow struct {
	Table output.Name `json:"table" doc:"The table."`
	Key   output.Name `json:"key" doc:"What tells the row from others."`
	Value output.Name `json:"value" doc:"What it refers to, as it stands there."`
	Path  output.Name `json:"path,omitempty" doc:"Which path that means, where it is another."`
	Cause output.Name `json:"cause,omitempty" doc:"Why it is no path at all."`
}

// Dangling tells of each row that refers to nothing, as JSON.
type Dangling struct {
	From output.Name `json:"from" doc:"The column, or the table, that refers."`
	To   output.Name `json:"to" doc:"The source that it refers to."`
	DanglingRow
}

// Orphans counts files that no row refers to, in JSON.
type Orphans struct {
	Source output.Name `json:"source" doc:"The source that rows refer to."`
	Files  uint64      `json:"files" doc:"Its files that no row refers to."`
}

// LeftOut is what is not backed up on purpose, in JSON.
type LeftOut struct {
	Name   output.Name `json:"name" doc:"What it is."`
	Reason output.Name `json:"reason" doc:"Why it need not come back."`
}

// ReferencesOf is what became of rules.
func ReferencesOf(all []catalog.References) (rows []References) {
	for i := range all {
		r := &all[i]
		row := References{
			From: output.Name(r.From), To: output.Name(r.To), Path: output.Name(r.Path), Strip: output.Name(r.Strip), Nulls: r.Nulls,
			Rows: r.Rows, Dangling: r.Dangling, Failed: output.Name(r.Failed),
		}
		for j := range r.First {
			row.First = append(row.First, DanglingRowOf(&r.First[j]))
		}
		rows = append(rows, row)
	}
	return rows
}

// DanglingRowOf is a row that refers to nothing.
func DanglingRowOf(d *catalog.Dangling) DanglingRow {
	return DanglingRow{output.Name(d.Table), output.Name(d.Key), output.Name(d.Value), output.Name(d.Path), output.Name(d.Cause)}
}

// DanglingOf is a row by a rule of which it refers to nothing.
func DanglingOf(r *catalog.Rule, row DanglingRow) Dangling {
	return Dangling{output.Name(r.From), output.Name(r.To), row}
}

// Text says what is wrong with the row's value.
func (d *DanglingRow) Text(to output.Name) string {
	switch {
	case d.Cause != "":
		return fmt.Sprintf("%q is no path in %s: %s", d.Value.String(), to, d.Cause)
	case d.Path != "":
		return fmt.Sprintf("%q, the path %s, is not in %s of the snapshot", d.Value.String(), d.Path, to)
	}
	return fmt.Sprintf("%q is not in %s of the snapshot", d.Value.String(), to)
}

// OrphansOf counts files that no row refers to.
func OrphansOf(all []catalog.Orphans) (rows []Orphans) {
	for _, o := range all {
		rows = append(rows, Orphans{output.Name(o.Source), o.Files})
	}
	return rows
}

// LeftOutOf is what is not backed up on purpose.
func LeftOutOf(all []catalog.LeftOut) (rows []LeftOut) {
	for _, out := range all {
		rows = append(rows, LeftOut{output.Name(out.Name), output.Name(out.Reason)})
	}
	return rows
}

// Text is what is left out, and why.
func (r LeftOut) Text() string { return fmt.Sprintf("not backed up: %s (%s)", r.Name, r.Reason) }

// ReferencesText is a line for each rule and each source that rules lead to.
func ReferencesText(rules []References, orphans []Orphans) string {
	var b strings.Builder
	for _, r := range rules {
		if r.Failed != "" {
			fmt.Fprintf(&b, "references: %s to %s: not tested: %s\n", r.From, r.To, r.Failed)
			continue
		}
		fmt.Fprintf(&b, "references: %s to %s: %s, %d to nothing\n", r.From, r.To, output.Plural(r.Rows, "row"), r.Dangling)
	}
	for _, o := range orphans {
		fmt.Fprintf(&b, "references: no row refers to %s of %s\n", output.Plural(o.Files, "file"), o.Source)
	}
	return b.String()
}

// Fit is what check --references prints as JSON.
type Fit struct {
	SnapshotID string       `json:"snapshot_id" doc:"The snapshot."`
	References []References `json:"references" doc:"The rules, and what became of them."`
	Orphans    []Orphans    `json:"orphans" doc:"Of the sources that rows refer to, how many files no row refers to."`
	Requests   count.Totals `json:"requests" doc:"Requests to the storage."`
}

// FitOf is what a snapshot says of itself that was tested.
func FitOf(s *catalog.Snapshot, requests count.Totals) Fit {
	return Fit{s.ID.String(), ReferencesOf(s.References), append([]Orphans{}, OrphansOf(s.Orphans)...), requests}
}

package database

import (
	"fmt"
	"time"
)

// Status is what became of an object.
type Status string

// Statuses, from best to worst.
const (
	Exact        Status = "exact"
	Approximated Status = "approximated" // something close stands in its place
	SidecarOnly  Status = "sidecar"      // its native DDL is kept beside the data
	Dropped      Status = "dropped"      // it is not in the copy
	Chosen       Status = "chosen"       // it is not in the copy, as the filter says
	Untrusted    Status = "untrusted"    // it would run with more rights than its owner has; see Plan.Untrusted
)

// PartOfTable is why an object has no DDL of its own that nevertheless comes
// back: Object.Lost then says this.
const PartOfTable = "it is part of its table's SQL"

// LeftOut is what Object.Lost says where nobody wanted the object: its status is Chosen.
const LeftOut = "it hangs on a table that was left out"

// Finding says what became of one object or column.
type Finding struct {
	Object ObjectID `json:"object"`
	Status Status   `json:"status"`
	Code   Code     `json:"code,omitempty"` // DB1xx schema, DB2xx values, DB3xx statements
	Reason string   `json:"reason,omitempty"`
	Count  int64    `json:"count,omitempty"` // values concerned, where counted
}

// String prints the finding in one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%s: %s", f.Status, f.Object)
	if f.Code != "" {
		text = string(f.Code) + " " + text
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	if f.Count > 0 {
		text += fmt.Sprintf(" (%d values)", f.Count)
	}
	return text
}

// TableResult is what was copied of a table.
type TableResult struct {
	Table  string `json:"table"` // ID in the source
	Target string `json:"target,omitempty"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"` // canonical bytes
	// Digest is over the source's canonical rows, Written over the converted ones
	// that the target got; they are equal where nothing was converted.
	Digest  Digest `json:"digest"`
	Written Digest `json:"written"`
	Echo    Echo   `json:"-"` // of the converted rows
}

// Report is the outcome: a finding for every object, a result for every table.
type Report struct {
	Source   string        `json:"source"` // engine and version
	Target   string        `json:"target,omitempty"`
	Moment   string        `json:"moment,omitempty"`
	Findings []Finding     `json:"findings"`
	Tables   []TableResult `json:"tables"`
	Verified bool          `json:"verified"`
	// ReadBack is how long it took to read the copy back, beside whatever went on meanwhile.
	ReadBack time.Duration `json:"-"`
	// Statements and Untrusted are the plan's.
	Statements []string  `json:"statements,omitempty"`
	Untrusted  []Finding `json:"untrusted,omitempty"`
}

// Inexact lists the findings that are not exact, without what was left out by choice.
func (r *Report) Inexact() []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.Status != Exact && f.Status != Chosen {
			out = append(out, f)
		}
	}
	return out
}

// Chosen is how many objects were left out by choice.
func (r *Report) Chosen() int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == Chosen {
			n++
		}
	}
	return n
}

// Result finds a table's result by its source ID; nil if there is none.
func (r *Report) Result(table string) *TableResult {
	for i := range r.Tables {
		if r.Tables[i].Table == table {
			return &r.Tables[i]
		}
	}
	return nil
}

package message

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

// Explain is what prune --explain prints as JSON.
type Explain struct {
	Pack   string       `json:"pack" doc:"The pack's name."`
	Object string       `json:"object" doc:"Where it lies."`
	Bytes  int64        `json:"bytes" doc:"Its size."`
	Keep   []ExplainRow `json:"kept_by" doc:"The records that need it, the oldest first; none: the next prune deletes it."`
}

// ExplainRow is a record that needs the pack.
type ExplainRow struct {
	Record    string      `json:"record" doc:"The record."`
	Kind      string      `json:"kind" doc:"commit of a snapshot, or checkpoint of a backup that did not end."`
	Snapshot  string      `json:"snapshot,omitempty" doc:"The id of the snapshot."`
	Set       output.Name `json:"set,omitempty" doc:"Its set, if an identity is at hand."`
	Hostname  output.Name `json:"hostname,omitempty" doc:"Its host, if an identity is at hand."`
	Time      time.Time   `json:"time" doc:"When it was stored."`
	Forgotten time.Time   `json:"forgotten,omitzero" doc:"When it was forgotten: it keeps the pack for the grace."`
}

// ExplainOf says why a pack is kept.
func ExplainOf(pack *archive.Pack, reasons []collect.Reason) Explain {
	m := Explain{Pack: pack.Name.String(), Object: pack.Kind.Object(pack.Name), Bytes: int64(pack.Size), Keep: []ExplainRow{}}
	for _, r := range reasons {
		row := ExplainRow{Record: r.Record.Name(), Kind: string(r.Kind), Time: r.Date, Forgotten: r.Forgotten}
		if r.Kind == catalog.Commit {
			row.Snapshot = r.Hash.String()
		}
		if s := r.Snapshot; s != nil {
			row.Set, row.Hostname = output.Name(s.Set), output.Name(s.Host)
		}
		m.Keep = append(m.Keep, row)
	}
	return m
}

// Text is the message for people; grace is how long what was forgotten stays.
func (m Explain) Text(grace time.Duration) string {
	text := fmt.Sprintf("%s, %s", m.Object, output.Bytes(m.Bytes))
	if len(m.Keep) == 0 {
		return text + "\nnothing needs it: prune deletes it"
	}
	for _, row := range m.Keep {
		what := "a backup that did not end, until it is superseded or a week old"
		if row.Snapshot != "" {
			what = "snapshot " + row.Snapshot[:catalog.ShortID]
		}
		if row.Hostname != "" {
			what += fmt.Sprintf(" of %s, %s", output.OrDash(row.Set.String()), row.Hostname)
		}
		if !row.Forgotten.IsZero() {
			what += ", forgotten " + output.Time(row.Forgotten) + ": until " + output.Time(row.Forgotten.Add(grace))
		}
		text += fmt.Sprintf("\n%s  %s (%s)", output.Time(row.Time), what, row.Record)
	}
	return text
}

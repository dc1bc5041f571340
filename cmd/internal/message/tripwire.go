package message

import (
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Trip is something that looks like a loss, in JSON.
type Trip struct {
	Source  output.Name `json:"source" doc:"The source."`
	What    output.Name `json:"what" doc:"files, rows, bytes (of a command's output), changed (bytes), renamed (files), incompressible (bytes) or references (rows that lead to nothing)."`
	Before  uint64      `json:"before" doc:"How many there were."`
	Now     uint64      `json:"now" doc:"How many there are, or how many of them have changed, have other names or lead to nothing."`
	Percent int         `json:"limit_percent" doc:"What share was allowed."`
	Message output.Name `json:"message" doc:"The same in words."`
}

// TripsOf is what looks like a loss in a snapshot.
func TripsOf(s *catalog.Snapshot) (rows []Trip) {
	for _, t := range s.Tripwire {
		rows = append(rows, Trip{output.Name(t.Source), output.Name(t.What), t.Before, t.Now, t.Percent, output.Name(t.String())})
	}
	return rows
}

// TripText is what looks like a loss, or does not fit, in one line.
func TripText(rows []Trip) string {
	var losses, unfit []string
	for _, row := range rows {
		if row.What == tripwire.Unfit {
			unfit = append(unfit, row.Message.String())
			continue
		}
		losses = append(losses, row.Message.String())
	}
	var texts []string
	if len(losses) > 0 {
		texts = append(texts, "tripwire: "+strings.Join(losses, "; "))
	}
	if len(unfit) > 0 {
		texts = append(texts, "references: "+strings.Join(unfit, "; "))
	}
	return strings.Join(texts, "; ")
}

package main

import (
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
)

// tripRow is something that looks like a loss, in JSON.
type tripRow struct {
	Source  output.Name `json:"source" doc:"The source."`
	What    output.Name `json:"what" doc:"files, rows, bytes (of a command's output), changed (bytes), renamed (files) or incompressible (bytes)."`
	Before  uint64      `json:"before" doc:"How many there were."`
	Now     uint64      `json:"now" doc:"How many there are, or how many of them have changed or have other names."`
	Percent int         `json:"limit_percent" doc:"What share was allowed."`
	Message output.Name `json:"message" doc:"The same in words."`
}

func tripRows(s *catalog.Snapshot) (rows []tripRow) {
	for _, t := range s.Tripwire {
		rows = append(rows, tripRow{output.Name(t.Source), output.Name(t.What), t.Before, t.Now, t.Percent, output.Name(t.String())})
	}
	return rows
}

// tripText is what looks like a loss, in one line.
func tripText(rows []tripRow) string {
	texts := make([]string, len(rows))
	for i, row := range rows {
		texts[i] = row.Message.String()
	}
	return "tripwire: " + strings.Join(texts, "; ")
}

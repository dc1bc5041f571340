package message

import (
	"fmt"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/check"
)

// Repair is what repair prints as JSON at its end.
type Repair struct {
	Damaged  []string `json:"damaged" doc:"Objects that were damaged or missing."`
	Repaired []string `json:"repaired" doc:"Those that are good again, or whose content lies somewhere else now."`
	Left     []Damage `json:"left" doc:"What is still wrong."`
	DryRun   bool     `json:"dry_run,omitempty" doc:"Whether nothing was changed."`
}

// RepairOf compares what was wrong before with what still is. With dry nothing was changed.
func RepairOf(before, after *check.Report, dry bool) Repair {
	m := Repair{Damaged: []string{}, Repaired: []string{}, Left: CheckOf(after).Findings, DryRun: dry}
	left := map[string]bool{}
	for _, f := range m.Left {
		left[f.Object] = true
	}
	for _, f := range before.Findings {
		m.Damaged = append(m.Damaged, f.Object)
		if !left[f.Object] {
			m.Repaired = append(m.Repaired, f.Object)
		}
	}
	return m
}

// Text is the message for people.
func (m Repair) Text() string {
	switch {
	case len(m.Damaged) == 0:
		return "nothing is damaged"
	case m.DryRun:
		return fmt.Sprintf("%s damaged or missing; nothing was changed", output.Plural(len(m.Damaged), "object"))
	}
	return fmt.Sprintf("repaired %d of %s", len(m.Repaired), output.Plural(len(m.Damaged), "damaged object"))
}

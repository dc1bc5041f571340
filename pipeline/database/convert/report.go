package convert

import (
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// complete adds a finding for every object that has none.
func complete(s *database.Schema, findings []database.Finding) []database.Finding {
	known := make(map[database.ObjectID]bool, len(findings))
	for _, f := range findings {
		known[f.Object] = true
	}
	findings = slices.Clip(findings) // a target goes on adding to the plan's own
	for _, o := range s.Objects {
		if known[o.ObjectID] {
			continue
		}
		known[o.ObjectID] = true
		findings = append(findings, unmentioned(o))
	}
	return findings
}

func unmentioned(o *database.Object) database.Finding {
	if o.Lost == database.LeftOut {
		return database.Finding{Object: o.ObjectID, Status: database.Chosen, Code: database.CodeLeftOut, Reason: o.Lost}
	}
	if len(o.DDL) == 0 {
		return database.Finding{Object: o.ObjectID, Status: database.Dropped, Code: database.CodeDropped, Reason: o.Lost}
	}
	return database.Finding{Object: o.ObjectID, Status: database.SidecarOnly, Code: database.CodeSidecar, Reason: "kept as native DDL"}
}

// amend adds findings; one about an object that is exact so far replaces that.
func amend(r *database.Report, findings []database.Finding) {
	for _, f := range findings {
		if i := exactly(r, f.Object); i >= 0 {
			r.Findings[i] = f
			continue
		}
		r.Findings = append(r.Findings, f)
	}
}

func exactly(r *database.Report, o database.ObjectID) int {
	for i, f := range r.Findings {
		if f.Object == o && f.Status == database.Exact {
			return i
		}
	}
	return -1
}

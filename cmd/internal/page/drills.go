package page

import (
	"slices"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

// drills are the restore drills that the repository tells of.
type drills struct {
	Reports []drill `json:"reports,omitempty"`
}

// drill is one of them.
type drill struct {
	Set      output.Name   `json:"set"`
	Host     output.Name   `json:"host"`
	By       output.Name   `json:"by"`
	Began    time.Time     `json:"began,omitzero"`
	Took     length        `json:"took_seconds"`
	Passed   bool          `json:"passed"`
	RPO      length        `json:"rpo_seconds"`
	RTO      length        `json:"rto_seconds"`
	Failures []output.Name `json:"failures,omitempty"`
	Remarks  []output.Name `json:"remarks,omitempty"`
	Snapshot string        `json:"snapshot"`
	Link     string        `json:"-"`
}

// Label names the set.
func (d drill) Label() string { return setLabel(d.Set) + " on " + d.Host.String() }

// drillsShown is how many drills are listed.
const drillsShown = 100

func (v *visit) drills() (any, error) {
	k, err := v.readable()
	if err != nil {
		return nil, err
	}
	reports, _, err := k.repo.ReadDrills(v.r.Context(), k.log)
	if err != nil {
		return nil, err
	}
	d := &drills{Reports: []drill{}}
	seconds := func(n float64) length { return length(n * float64(time.Second)) }
	for _, r := range reports {
		d.Reports = append(d.Reports, drill{
			Set: output.Name(r.Set), Host: output.Name(r.Host), By: output.Name(r.By), Began: r.Began, Took: seconds(r.Seconds), Passed: r.Passed, RPO: seconds(r.RPO), RTO: seconds(r.RTO),
			Failures: output.Names(r.Failures), Remarks: output.Names(r.Remarks), Snapshot: r.Snapshot, Link: v.link("/snapshot", "id", r.Snapshot),
		})
	}
	slices.SortStableFunc(d.Reports, func(a, b drill) int { return b.Began.Compare(a.Began) })
	d.Reports = d.Reports[:min(len(d.Reports), drillsShown)]
	return d, nil
}

package page

import (
	"slices"
	"time"

	"github.com/packstone/packstone/cmd/internal/output"
)

// drills are the restore drills that the repository tells of.
type drills struct {
	Reports []drill
}

// drill is one of them.
type drill struct {
	Set, Host, By output.Name
	Began         time.Time
	Took          time.Duration
	Passed        bool
	RPO, RTO      time.Duration
	Failures      []output.Name
	Remarks       []output.Name
	Snapshot      string
	Link          string `json:"-"`
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
	seconds := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
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

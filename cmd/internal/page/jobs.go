package page

import (
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/output"
)

// jobs are the runs of jobs on this host.
type jobs struct {
	Host string    `json:"host"`
	Runs []jobRun  `json:"runs,omitempty"`
	Open []running `json:"open,omitempty"`
	Logs bool      `json:"logs"` // they are shown: names of files may stand in them
}

// jobRun is a run of a job.
type jobRun struct {
	Job      output.Name    `json:"job"`
	Why      string         `json:"why"`
	Start    time.Time      `json:"start,omitzero"`
	Took     length         `json:"took_seconds"`
	Outcome  health.Outcome `json:"outcome"`
	Cause    output.Name    `json:"cause"`
	Read     int64          `json:"read"`
	Stored   int64          `json:"stored"`
	Files    int64          `json:"files"`
	Snapshot string         `json:"snapshot"`
	Log      string         `json:"log"`
	Link     string         `json:"-"`
}

// runsShown is how many runs are listed.
const runsShown = 100

func (v *visit) jobs() (any, error) {
	j := &jobs{Host: v.Host, Runs: []jobRun{}, Logs: v.who.known || v.session != nil && v.session.lent != nil}
	runs, err := v.Runs(runsShown)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		shown := jobRun{
			Job: output.Name(r.Job), Why: string(r.Why), Start: r.Start, Took: length(r.Duration), Outcome: r.Outcome, Cause: output.Name(r.Cause),
			Read: r.BytesRead, Stored: r.BytesStored, Files: r.Files, Snapshot: r.Snapshot, Log: r.Log,
		}
		if !j.Logs {
			shown.Log = ""
		}
		if r.Snapshot != "" {
			shown.Link = v.link("/snapshot", "id", r.Snapshot)
		}
		j.Runs = append(j.Runs, shown)
	}
	if k, err := v.known(); err == nil { // else the overview says why not
		for _, s := range k.status.Sessions {
			j.Open = append(j.Open, running{output.Name(s.Lane), s.Since})
		}
	}
	return j, nil
}

package page

import (
	"time"

	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/output"
)

// jobs are the runs of jobs on this host.
type jobs struct {
	Host string    `json:"host"`
	Runs []jobRun  `json:"runs,omitempty"`
	Open []running `json:"open,omitempty"`
	Logs bool      `json:"logs"` // they are shown: names of files may stand in them

	May  bool        `json:"may"` // whoever looks may start and stop jobs
	Now  *jobNow     `json:"now,omitempty"`
	Jobs []jobComing `json:"jobs,omitempty"`
}

// jobNow is the job at work.
type jobNow struct {
	Job      output.Name `json:"job"`
	Why      string      `json:"why"`
	Start    time.Time   `json:"start,omitzero"`
	Took     length      `json:"took_seconds"`
	By       output.Name `json:"by"` // who has asked for it
	Stopping bool        `json:"stopping"`
	doing
}

// doing is what was done so far.
type doing struct {
	FilesDone  int64       `json:"files_done"`
	FilesTotal int64       `json:"files_total"` // 0: it is not known
	BytesDone  int64       `json:"bytes_done"`
	BytesTotal int64       `json:"bytes_total"`
	Percent    int         `json:"percent"`
	Errors     int64       `json:"errors"`
	Current    output.Name `json:"current"` // a file
	Log        string      `json:"log"`
}

func doingOf(l daemon.Live) doing {
	d := doing{
		FilesDone: l.Counts.FilesDone, FilesTotal: l.Counts.TotalFiles, BytesDone: l.Counts.BytesDone, BytesTotal: l.Counts.TotalBytes,
		Percent: int(100 * l.Counts.Share()), Errors: l.Counts.Errors, Log: l.Log,
	}
	if len(l.Counts.Current) > 0 {
		d.Current = output.Name(l.Counts.Current[0])
	}
	return d
}

// jobComing is a job with its next time.
type jobComing struct {
	Job    output.Name `json:"job"`
	Next   time.Time   `json:"next,omitzero"`
	Waits  bool        `json:"waits"` // somebody has asked for it
	By     output.Name `json:"by"`    // who
	AtWork bool        `json:"at_work"`
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
	v.addWork(j)
	if k, err := v.known(); err == nil { // else the overview says why not
		for _, s := range k.status.Sessions {
			j.Open = append(j.Open, running{output.Name(s.Lane), s.Since})
		}
	}
	return j, nil
}

// addWork adds what is at work, and what comes.
func (v *visit) addWork(j *jobs) {
	if v.Work == nil {
		return
	}
	w := v.Work()
	j.May = v.who.known
	if now := w.AtWork; now != nil {
		j.Now = &jobNow{Job: output.Name(now.Name), Why: string(now.Why), Start: now.Began, Took: length(v.now.Sub(now.Began)), By: output.Name(now.By), Stopping: now.Stopped != "", doing: doingOf(v.Live())}
		if !j.Logs {
			j.Now.By, j.Now.Current, j.Now.Log = "", "", ""
		}
	}
	for _, c := range w.Jobs {
		coming := jobComing{Job: output.Name(c.Name), Next: c.Next, Waits: c.By != "", By: output.Name(c.By), AtWork: w.AtWork != nil && w.AtWork.Name == c.Name}
		if !j.Logs {
			coming.By = ""
		}
		j.Jobs = append(j.Jobs, coming)
	}
}

// job is the job that a request names, if whoever makes it may start and stop jobs.
func (v *visit) job() (name string, err error) {
	switch {
	case v.Work == nil:
		err = errNoJobs
	case !v.who.known:
		err = errNobody
	}
	return v.r.FormValue("job"), err
}

func (v *visit) startJob() (done, error) {
	name, err := v.job()
	if err == nil {
		err = v.Start(name, v.by())
	}
	return done{"starts " + name, "/jobs"}, err
}

func (v *visit) stopJob() (done, error) {
	name, err := v.job()
	if err == nil {
		err = v.Stop(name, v.by())
	}
	return done{"stops " + name, "/jobs"}, err
}

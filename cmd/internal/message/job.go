package message

import (
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// ComingJob is a job that run -n lists.
type ComingJob struct {
	Job  string       `json:"job" doc:"The job: backup and its set, forget, prune, check, copy, drill or keep."`
	Time time.Time    `json:"time" doc:"When it is due, if all before it take no time."`
	Why  schedule.Why `json:"why" doc:"Why: first (it never ran), schedule, catch-up (its time is over) or retry."`
}

// ComingJobs are the rows of run -n, and their table.
func ComingJobs(all []schedule.Due) (rows []ComingJob, table output.Table) {
	table.Head = []string{"TIME", "JOB", "WHY"}
	for _, due := range all {
		rows = append(rows, ComingJob{Job: due.Job.Name, Time: due.At, Why: due.Why})
		table.Rows = append(table.Rows, []string{output.Time(due.At), due.Job.Name, string(due.Why)})
	}
	return rows, table
}

// Job is what run prints as JSON when a job begins and when it ends.
type Job struct {
	Job         string         `json:"job" doc:"The job: backup and its set, forget, prune, check, copy, drill or keep."`
	Why         schedule.Why   `json:"why" doc:"Why it is run: first, schedule, catch-up, retry or asked (by somebody on the page)."`
	Began       time.Time      `json:"began" doc:"When it began."`
	Duration    float64        `json:"duration,omitempty" doc:"Seconds that it took."`
	Outcome     health.Outcome `json:"outcome,omitempty" doc:"At its end: done, incomplete, failed or interrupted."`
	Code        int            `json:"code,omitempty" doc:"The exit code that the verb would have ended with."`
	Cause       string         `json:"cause,omitempty" doc:"Why it is not done."`
	SnapshotID  string         `json:"snapshot_id,omitempty" doc:"The snapshot that it made."`
	BytesStored int64          `json:"data_added_packed,omitempty" doc:"Bytes that it uploaded."`
}

// JobOf tells of a run that has ended.
func JobOf(run *history.Run) Job {
	return Job{
		Job: run.Job, Why: run.Why, Began: run.Start, Duration: run.Duration.Seconds(), Outcome: run.Outcome, Code: run.Code, Cause: run.Cause,
		SnapshotID: run.Snapshot, BytesStored: run.BytesStored,
	}
}

// JobText tells a person of a run that has ended.
func JobText(run *history.Run) string {
	text := fmt.Sprintf("%s: %s after %s", run.Job, run.Outcome, run.Duration.Round(time.Millisecond))
	if run.Cause != "" {
		text += ": " + run.Cause
	}
	if run.Snapshot != "" {
		text += fmt.Sprintf("; snapshot %s, %s files, stored %s", run.Snapshot[:min(catalog.ShortID, len(run.Snapshot))], output.Count(run.Files), output.Bytes(run.BytesStored))
	}
	return text
}

// PageAct is what run prints as JSON when somebody does something on the page.
type PageAct struct {
	Time time.Time   `json:"time" doc:"When it was."`
	By   output.Name `json:"by" doc:"Who has done it, as far as is known, and from where."`
	Act  output.Name `json:"act" doc:"What he has done."`
}

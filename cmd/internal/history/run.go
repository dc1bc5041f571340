package history

import (
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/schedule"
)

// Run is a run of a job.
type Run struct {
	ID   int64  // which the file gives
	Job  string // the job's name
	Kind string // backup, forget, prune, check, copy
	Name string // of the set of a backup or of a retention; else ""
	Why  schedule.Why
	Slot time.Time // that it answers; zero of what follows another run

	health.Run
	Log      string // the last lines that it had to say
	Snapshot string // the id of the one that it made, "" if none
	Trip     string // what a tripwire saw in that, "" if nothing
}

// How long runs are kept. The last run of each kind and name, the last successful one and the first
// failed one after that are always kept.
const (
	keepFor  = 100 * 24 * time.Hour
	keepRuns = 20000
)

// Past returns the past of each job, by its name.
func (f *File) Past() (map[string]schedule.Past, error) {
	past := map[string]schedule.Past{}
	err := f.each("SELECT name, answered, trying, first, last, attempts FROM job", func(row *sqlite3.Stmt) {
		past[row.ColumnText(0)] = schedule.Past{
			Answered: timeAt(row, 1), Trying: timeAt(row, 2), First: timeAt(row, 3), Last: timeAt(row, 4), Attempts: int(row.ColumnInt64(5)),
		}
	})
	return past, err
}

// Begin records that a run begins, and sets its ID.
func (f *File) Begin(r *Run) error {
	err := f.exec(`INSERT INTO run (job, kind, name, why, slot, began, outcome, code, cause, log, snapshot, trip, read, added, stored, files)
		VALUES (?, ?, ?, ?, ?, ?, '', 0, '', '', '', '', 0, 0, 0, 0)`, r.Job, r.Kind, r.Name, string(r.Why), r.Slot, r.Start)
	r.ID = f.conn.LastInsertRowID()
	return err
}

// End records how a run ended and, in the same transaction, the past of its job.
func (f *File) End(r *Run, past schedule.Past) (err error) {
	tx, err := f.conn.BeginImmediate()
	if err != nil {
		return translate("change", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if err := f.update(r); err != nil {
		return err
	}
	if !r.Slot.IsZero() {
		if err := f.exec(`INSERT OR REPLACE INTO job (name, answered, trying, first, last, attempts) VALUES (?, ?, ?, ?, ?, ?)`,
			r.Job, past.Answered, past.Trying, past.First, past.Last, past.Attempts); err != nil {
			return err
		}
	}
	if err := f.prune(r.End()); err != nil {
		return err
	}
	return translate("change", tx.Commit())
}

func (f *File) update(r *Run) error {
	return f.exec(`UPDATE run SET ended = ?, outcome = ?, code = ?, cause = ?, log = ?, snapshot = ?, trip = ?, read = ?, added = ?, stored = ?, files = ? WHERE id = ?`,
		r.End(), string(r.Outcome), r.Code, r.Cause, r.Log, r.Snapshot, r.Trip, r.BytesRead, r.BytesAdded, r.BytesStored, r.Files, r.ID)
}

// endRuns records that runs without an end were interrupted. Their end is unknown, so it is set to
// their begin.
func (f *File) endRuns(now time.Time) error {
	return f.exec(`UPDATE run SET ended = began, outcome = ?, code = 130, cause = ? WHERE ended IS NULL`, string(health.Interrupted),
		"packstone was killed, or the machine stopped; found on "+now.UTC().Format(time.DateTime)+" UTC")
}

// prune deletes old runs, except for those that determine the state of a set.
func (f *File) prune(now time.Time) error {
	const needed = `SELECT max(id) FROM run GROUP BY kind, name
		UNION SELECT max(id) FROM run WHERE outcome = 'done' AND trip = '' GROUP BY kind, name
		UNION SELECT max(id) FROM run WHERE snapshot <> '' GROUP BY kind, name
		UNION SELECT min(r.id) FROM run r WHERE r.outcome IN ('failed', 'incomplete') AND r.id >
			(SELECT coalesce(max(d.id), 0) FROM run d WHERE d.kind = r.kind AND d.name = r.name AND d.outcome = 'done') GROUP BY kind, name`
	if err := f.exec(`DELETE FROM run WHERE began < ? AND ended IS NOT NULL AND id NOT IN (`+needed+`)`, now.Add(-keepFor)); err != nil {
		return err
	}
	return f.exec(`DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - ? AND ended IS NOT NULL AND id NOT IN (`+needed+`)`, keepRuns)
}

const columns = `id, job, kind, name, why, slot, began, coalesce(ended, began), outcome, code, cause, log, snapshot, trip, read, added, stored, files`

func runOf(row *sqlite3.Stmt) Run {
	began := timeAt(row, 6)
	return Run{
		ID: row.ColumnInt64(0), Job: row.ColumnText(1), Kind: row.ColumnText(2), Name: row.ColumnText(3), Why: schedule.Why(row.ColumnText(4)), Slot: timeAt(row, 5),
		Run: health.Run{
			Start: began, Duration: timeAt(row, 7).Sub(began), Outcome: health.Outcome(row.ColumnText(8)), Code: int(row.ColumnInt64(9)), Cause: row.ColumnText(10),
			BytesRead: row.ColumnInt64(14), BytesAdded: row.ColumnInt64(15), BytesStored: row.ColumnInt64(16), Files: row.ColumnInt64(17),
		},
		Log: row.ColumnText(11), Snapshot: row.ColumnText(12), Trip: row.ColumnText(13),
	}
}

func (f *File) runs(where string, params ...any) (runs []Run, err error) {
	err = f.each("SELECT "+columns+" FROM run WHERE "+where, func(row *sqlite3.Stmt) { runs = append(runs, runOf(row)) }, params...)
	return runs, err
}

// Runs returns the last n runs that ended, the newest first.
func (f *File) Runs(n int) ([]Run, error) {
	return f.runs("ended IS NOT NULL ORDER BY id DESC LIMIT ?", n)
}

// Faults returns the last n runs that were not fully successful, the newest first.
func (f *File) Faults(n int) ([]Run, error) {
	return f.runs("outcome IN ('failed', 'incomplete', 'interrupted') ORDER BY id DESC LIMIT ?", n)
}

// last returns the newest run of a kind and name that has ended and matches the condition where;
// nil if there is none.
func (f *File) last(kind, name, where string) (*Run, error) {
	runs, err := f.runs("kind = ? AND name = ? AND ended IS NOT NULL AND "+where+" ORDER BY id DESC LIMIT 1", kind, name)
	if len(runs) == 0 || err != nil {
		return nil, err
	}
	return &runs[0], nil
}

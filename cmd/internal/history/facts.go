package history

import (
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
)

// The kinds of jobs that say something about a set.
const (
	Backup = "backup"
	Check  = "check"
	Drill  = "drill"
)

// AddFacts adds to a set what its runs on this host say. What is known from snapshots stays, unless
// a run is newer.
func (f *File) AddFacts(s *health.Set) error {
	for _, add := range []func(*health.Set) error{f.addLast, f.addSuccess, f.addFaults, f.addCheck, f.addDrill, f.addWatched} {
		if err := add(s); err != nil {
			return err
		}
	}
	if s.Last.Outcome != health.Done && s.Newest.After(s.Last.End()) { // somebody has backed it up since
		s.Last, s.Failures, s.FirstFault = health.Run{Start: s.Newest, Outcome: health.Done}, 0, time.Time{}
	}
	return nil
}

func (f *File) addLast(s *health.Set) error {
	run, err := f.last(Backup, s.Name, "true")
	if run == nil || err != nil || run.End().Before(s.Last.Start) {
		return err
	}
	s.Last = run.Run
	if run, err = f.last(Backup, s.Name, "snapshot <> ''"); run != nil && !s.Newest.After(run.End()) {
		s.Tripped, s.TripCause = run.Trip != "", run.Trip
	}
	return err
}

func (f *File) addSuccess(s *health.Set) error {
	run, err := f.last(Backup, s.Name, "outcome = 'done' AND trip = ''")
	if run == nil || err != nil {
		return err
	}
	s.LastSuccess = run.End()
	if run.Snapshot != "" && run.Start.After(s.Newest) {
		s.Newest = run.Start
	}
	return nil
}

// addFaults counts the failures since the last success.
func (f *File) addFaults(s *health.Set) (err error) {
	s.Failures, s.FirstFault, err = f.faults(Backup, s.Name)
	return err
}

// faults returns how many runs of a kind and name failed in a row up to now, and when the first
// unsuccessful run after the last success ended.
func (f *File) faults(kind, name string) (failures int, first time.Time, err error) {
	runs, err := f.runs(`kind = ? AND name = ? AND outcome IN ('failed', 'incomplete') AND id >
		(SELECT coalesce(max(id), 0) FROM run WHERE kind = ? AND name = ? AND outcome = 'done') ORDER BY id`, kind, name, kind, name)
	for _, run := range runs {
		if run.Outcome == health.Broken {
			failures++
		} else {
			failures = 0
		}
	}
	if len(runs) > 0 {
		first = runs[0].End()
	}
	return failures, first, err
}

// Row is the last run of a job that was not interrupted, and the consecutive failures before it.
type Row struct {
	Run
	Failures int       // runs in a row that failed, up to that one
	Since    time.Time // when the first ended that was not done after the last that was; zero if that was the last
}

// Row returns the last runs of a kind and name; nil if none has ended.
func (f *File) Row(kind, name string) (*Row, error) {
	run, err := f.last(kind, name, "outcome <> 'interrupted'")
	if run == nil || err != nil {
		return nil, err
	}
	row := &Row{Run: *run}
	row.Failures, row.Since, err = f.faults(kind, name)
	return row, err
}

// addCheck adds what the last check of the repository found. A check that reads samples counts as
// verifying everything over time.
func (f *File) addCheck(s *health.Set) error {
	run, err := f.last(Check, "", "outcome <> 'interrupted'")
	if run == nil || err != nil {
		return err
	}
	if run.Code == exitcode.Integrity {
		s.Damage, s.DamageSince = run.Cause, run.End()
	}
	if run, err = f.last(Check, "", "outcome = 'done' AND read > 0"); run != nil {
		s.Verified = run.End()
	}
	return err
}

// addDrill adds whether the last drill of the set has failed.
func (f *File) addDrill(s *health.Set) error {
	run, err := f.last(Drill, s.Name, "outcome <> 'interrupted'")
	if run == nil || err != nil {
		return err
	}
	s.Drilled, s.DrillTook = run.Start, run.Duration
	if run.Outcome == health.Done {
		return nil
	}
	s.DrillFault = run.Cause
	_, s.DrillFaultSince, err = f.faults(Drill, s.Name)
	return err
}

// Watch records from when on sets should be backed up regularly, for those that are not recorded
// yet.
func (f *File) Watch(sets []string, now time.Time) error {
	known, err := f.watched()
	if err != nil {
		return err
	}
	for _, name := range sets {
		if _, before := known[name]; !before {
			err = errors.Join(err, f.exec("INSERT INTO watched (name, since) VALUES (?, ?)", name, now))
		}
		delete(known, name)
	}
	for name := range known {
		err = errors.Join(err, f.exec("DELETE FROM watched WHERE name = ?", name))
	}
	return err
}

// watched returns the sets that should be backed up regularly, and since when; none for a file of
// an earlier version that is only read.
func (f *File) watched() (map[string]time.Time, error) {
	there, err := f.number("SELECT count(*) FROM sqlite_schema WHERE name = 'watched'")
	since := map[string]time.Time{}
	if there == 0 || err != nil {
		return since, err
	}
	return since, f.each("SELECT name, since FROM watched", func(row *sqlite3.Stmt) { since[row.ColumnText(0)] = timeAt(row, 1) })
}

func (f *File) addWatched(s *health.Set) error {
	since, err := f.watched()
	s.Watched = since[s.Name]
	return err
}

// Failed is how often the backup of a set failed or was incomplete, in one way.
type Failed struct {
	Set   string
	Code  int // the exit code
	Count int64
}

// Failures returns the recorded runs of backups that were not successful, counted by set and code.
func (f *File) Failures() (all []Failed, err error) {
	err = f.each(`SELECT name, code, count(*) FROM run WHERE kind = 'backup' AND outcome IN ('failed', 'incomplete') GROUP BY name, code ORDER BY name, code`,
		func(row *sqlite3.Stmt) {
			all = append(all, Failed{row.ColumnText(0), int(row.ColumnInt64(1)), row.ColumnInt64(2)})
		})
	return all, err
}

// GrowthDays is over how many days the growth of repositories is counted.
const GrowthDays = 7

// Growth returns how many bytes backups have stored since a moment.
func (f *File) Growth(since time.Time) (bytes int64, err error) {
	return f.number("SELECT coalesce(sum(stored), 0) FROM run WHERE kind = 'backup' AND began >= ?", since)
}

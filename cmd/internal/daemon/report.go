package daemon

import (
	"time"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
)

// Reported is what the repository was told last of a job. The zero value means that it was told of
// none that failed.
type Reported struct {
	At    time.Time `json:"at"`             // when
	Since time.Time `json:"since,omitzero"` // since when it had failed
	Code  int       `json:"code,omitempty"` // with what it had ended
	Bad   bool      `json:"bad,omitempty"`  // it had failed
}

// How often the repository is told that a job still fails, and how soon telling is tried again.
const (
	reportAgain = 24 * time.Hour
	reportRetry = 15 * time.Minute
)

// Report says whether the repository should be told of the last run of a job: that it failed, once
// in a row of failures and then once a day, that it has found damage, and that it is done again. A
// snapshot tells that by itself, and so of a backup only failures are told.
func Report(last *history.Row, told Reported, now time.Time) bool {
	if last == nil {
		return false
	}
	if !failed(last) {
		return told.Bad && last.Kind != Backup
	}
	return !told.Bad || !told.Since.Equal(last.Since) || (told.Code == exitcode.Integrity) != (last.Code == exitcode.Integrity) || now.Sub(told.At).Abs() >= reportAgain
}

// Rests tells whether a repository is left alone: telling it has failed at tried, or the run to be
// told of is the first that could not reach it.
func Rests(last *history.Row, tried, now time.Time) bool {
	if last != nil && last.Code == exitcode.Unreachable && last.Since.After(tried) {
		tried = last.Since
	}
	return now.Sub(tried).Abs() < reportRetry
}

// After is what was told, once the repository knows of a run.
func (r Reported) After(last *history.Row, now time.Time) Reported {
	return Reported{At: now, Since: last.Since, Code: last.Code, Bad: failed(last)}
}

// Over tells whether a backup is done again of which the repository was told that it failed: its
// snapshot says so.
func (r Reported) Over(last *history.Row) bool {
	return r.Bad && last != nil && last.Kind == Backup && !failed(last)
}

// failed tells whether a run is to be told of. An incomplete backup has made a snapshot that says
// so.
func failed(run *history.Row) bool {
	return run.Outcome == health.Broken || run.Outcome == health.Missing && (run.Kind != Backup || run.Snapshot == "")
}

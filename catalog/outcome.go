package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/crypto"
)

// Outcome is the kind of records that tell how a run of a job ended if no snapshot tells it: that a
// backup failed, that a check found damage, and that all is well again. They need no packs. The
// next snapshot of the same set and host, or the next outcome of the same job, replaces them.
const Outcome Kind = "outcome"

// RunOutcome is how a run of a job on a host ended.
type RunOutcome struct {
	Job      string    `json:"job"`           // backup, check, …
	Set      string    `json:"set,omitempty"` // of a backup
	Host     string    `json:"host"`
	Result   string    `json:"result"` // done, failed, …
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"` // that it took
	Code     int       `json:"code"`    // the exit code that the verb would have ended with
	Cause    string    `json:"cause,omitempty"`
	Since    time.Time `json:"since,omitzero"`    // when the first of the runs ended that failed in a row
	Failures int       `json:"failures,omitzero"` // how many have
	MaxAge   int64     `json:"max_age,omitzero"`  // seconds: how old the newest complete snapshot of the set may be

	Done   bool      `json:"-"` // it did all that it was to do
	Writer string    `json:"-"`
	Date   time.Time `json:"-"` // when it was told, by the store
}

// maxCause is how many bytes of a cause are shown: a writer may have written anything.
const maxCause = 4 << 10

// jobBackup is the job whose outcomes a later snapshot replaces.
const jobBackup = "backup"

// group returns the name of the group of outcomes and snapshots that replace each other over time.
func (o *RunOutcome) group(key *crypto.IDKey) string {
	if o.Job == jobBackup {
		return groupOf(key, &Snapshot{Set: o.Set, Host: o.Host})
	}
	return mark(key, []string{"outcome", o.Job, o.Set, o.Host})
}

// Report records how a run ended, in a session of its own. It fails with ErrOutside if the writer
// may not speak for the host.
func (r *Repository) Report(ctx context.Context, o RunOutcome) error {
	if err := r.MaySpeakFor(o.Host); err != nil {
		return err
	}
	if err := Again(func() error { return r.tryReport(ctx, o) }); err != nil {
		return fmt.Errorf("write down how a run ended: %w", err)
	}
	return nil
}

func (r *Repository) tryReport(ctx context.Context, o RunOutcome) error {
	_, err := r.putReport(ctx, clear{Kind: Outcome, Complete: o.Done}, o.group, o)
	return err
}

// putReport writes a record that needs nothing, in a session of its own, with a report sealed to
// the recipients. group says which reports it replaces in time.
func (r *Repository) putReport(ctx context.Context, c clear, group func(*crypto.IDKey) string, report any) (*Record, error) {
	session, err := r.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	c.Group = group(session.writer.Domain.GroupKey())
	rec, err := session.report(ctx, c, report)
	if err != nil {
		session.abandon(ctx)
	}
	return rec, err
}

func (s *Session) report(ctx context.Context, c clear, report any) (*Record, error) {
	plain, err := json.Marshal(report)
	if err != nil {
		return nil, fmt.Errorf("encode a report: %w", err)
	}
	if c.Sealed, err = crypto.Seal(nil, archive.Compact(plain), s.recipients...); err != nil {
		return nil, fmt.Errorf("seal a report: %w", err)
	}
	rec, err := s.put(ctx, c)
	if err == nil {
		s.finish(rec)
	}
	return rec, err
}

// series is the outcomes and snapshots of one writer that replace each other.
type series struct{ writer, group string }

// Outcomes returns the newest record of outcomes of each writer and group, unless a later snapshot
// has replaced it. It needs no identity: Complete in the clear part says whether all is well.
func (l *Log) Outcomes() (newest []*Record) {
	last := map[series]*Record{}
	for _, rec := range l.Records {
		if rec.Group == "" || rec.ofOwner || rec.Kind != Outcome && rec.Kind != Commit {
			continue
		}
		of := series{rec.Lane.Writer, rec.Group}
		if before := last[of]; before == nil || rec.overtakes(before) {
			last[of] = rec
		}
	}
	for _, rec := range last {
		if rec.Kind == Outcome {
			newest = append(newest, rec)
		}
	}
	slices.SortFunc(newest, func(a, b *Record) int { return strings.Compare(a.Name(), b.Name()) })
	return newest
}

// overtakes reports whether rec was written after a record of the same writer, by the store's clock
// if they are in two lanes. At the same moment a snapshot comes after an outcome, since it shows
// the actual state.
func (rec *Record) overtakes(other *Record) bool {
	if rec.Lane == other.Lane {
		return rec.Sequence > other.Sequence
	}
	if rec.Date.Equal(other.Date) {
		return rec.Kind == Commit
	}
	return rec.Date.After(other.Date)
}

// FailedWriters returns the writers, not revoked, one of whose jobs has failed or found damage and
// not succeeded since, and when they last said so. It needs no identity.
func (r *Repository) FailedWriters(log *Log) map[string]time.Time {
	failed := map[string]time.Time{}
	for _, rec := range log.Outcomes() {
		if !rec.Complete && r.isWriter(rec.Lane.Writer) && rec.Date.After(failed[rec.Lane.Writer]) {
			failed[rec.Lane.Writer] = rec.Date
		}
	}
	return failed
}

// isWriter reports whether a writer is admitted and not revoked.
func (r *Repository) isWriter(name string) bool {
	m, _, ok := member(r.Config.Writers, name)
	return ok && m.Revoked == nil
}

// ReadOutcomes opens the outcomes that count: of writers that are not revoked, and of hosts for
// which these may speak. It returns errors for what it cannot read. It needs an identity.
func (r *Repository) ReadOutcomes(ctx context.Context, log *Log) (outcomes []RunOutcome, problems []error, err error) {
	for _, rec := range log.Outcomes() {
		if !r.isWriter(rec.Lane.Writer) {
			continue
		}
		o := RunOutcome{Done: rec.Complete, Writer: rec.Lane.Writer, Date: rec.Date}
		err := r.openSealed(ctx, rec, &o)
		if away := store.Unavailable(ctx, err); away != nil {
			return nil, nil, away
		}
		switch {
		case err != nil:
			problems = append(problems, err)
		case r.standing(rec, o.Host) != Outside:
			o.Cause = strings.ToValidUTF8(o.Cause[:min(len(o.Cause), maxCause)], "")
			outcomes = append(outcomes, o)
		}
	}
	return outcomes, problems, nil
}

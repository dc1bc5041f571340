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

// Outcome is the kind of the records that say how a run of a job ended which no snapshot tells of:
// a backup that failed, a check that found damage, and that it is well again. They need nothing,
// and the next snapshot of the same set and host, or the next outcome of the same job, takes their
// place.
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

// maxCause is how many bytes of a cause are told: a writer may have written anything.
const maxCause = 4 << 10

// jobBackup is the job whose outcomes snapshots overtake.
const jobBackup = "backup"

// group names the outcomes, and snapshots, that replace each other in time.
func (o *RunOutcome) group(key *crypto.IDKey) string {
	if o.Job == jobBackup {
		return groupOf(key, &Snapshot{Set: o.Set, Host: o.Host})
	}
	return mark(key, []string{"outcome", o.Job, o.Set, o.Host})
}

// Report writes down how a run ended, in a session of its own. ErrOutside if the writer may not
// speak for the host.
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
	session, err := r.Begin(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.report(ctx, o); err != nil {
		session.abandon(ctx)
		return err
	}
	return nil
}

func (s *Session) report(ctx context.Context, o RunOutcome) error {
	plain, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode an outcome: %w", err)
	}
	sealed, err := crypto.Seal(nil, archive.Compact(plain), s.recipients...)
	if err != nil {
		return fmt.Errorf("seal an outcome: %w", err)
	}
	rec, err := s.put(ctx, clear{Kind: Outcome, Group: o.group(s.writer.Domain.GroupKey()), Complete: o.Done, Sealed: sealed})
	if err != nil {
		return err
	}
	s.finish(rec)
	return nil
}

// series is what outcomes and snapshots of one writer replace each other in.
type series struct{ writer, group string }

// Outcomes are the newest records of outcomes of each writer and group, those left out that a
// snapshot has overtaken. They can be told apart without an identity: Complete says whether all is
// well.
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

// overtakes tells whether a record of the same writer came after another, by the store's clock
// where they are in two lanes. Of two of one moment a snapshot counts: it says how things are,
// whatever was said of a run.
func (rec *Record) overtakes(other *Record) bool {
	if rec.Lane == other.Lane {
		return rec.Sequence > other.Sequence
	}
	if rec.Date.Equal(other.Date) {
		return rec.Kind == Commit
	}
	return rec.Date.After(other.Date)
}

// FailedWriters are the writers, not revoked, one of whose jobs has failed or found damage since it
// last did all that it was to do, and when that was told last. No identity is needed for it.
func (r *Repository) FailedWriters(log *Log) map[string]time.Time {
	failed := map[string]time.Time{}
	for _, rec := range log.Outcomes() {
		if !rec.Complete && r.isWriter(rec.Lane.Writer) && rec.Date.After(failed[rec.Lane.Writer]) {
			failed[rec.Lane.Writer] = rec.Date
		}
	}
	return failed
}

// isWriter tells whether a writer is admitted and not revoked.
func (r *Repository) isWriter(name string) bool {
	m, _, ok := member(r.Config.Writers, name)
	return ok && m.Revoked == nil
}

// ReadOutcomes opens the outcomes that count: of writers that are not revoked, and of hosts for
// which they may speak. What cannot be read is returned beside them. It needs an identity.
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

package catalog

import (
	"context"
	"time"

	"github.com/packstone/packstone/archive"
)

const (
	// clockTolerance is how far a writer's clock may be ahead of the store's.
	clockTolerance = 5 * time.Minute
	// dateTolerance is how much later than its signed time a record may reach the store.
	dateTolerance = 24 * time.Hour
)

// believable returns the moment to which a snapshot belongs: the time that its writer claims, but
// never later than its date.
func believable(claimed, date time.Time) time.Time {
	if date.IsZero() || !claimed.After(date.Add(clockTolerance)) {
		return claimed
	}
	return date
}

// undated reports whether claimed is so long before date that the object was probably copied or
// dated back.
func undated(claimed, date time.Time) bool { return date.Sub(claimed) > dateTolerance }

// date sets the date of every record: the earliest date that a record of the owner or a collector
// has noted, else the store's. The store's date is unreliable if it is long after the time that the
// writer has signed (unless the writer may backdate), or before the date of the lane's previous
// record. Then something has copied the objects without their dates.
func (l *Log) date(mayBackdate map[string]bool) {
	noted := l.notedDates()
	lanes := map[Lane]*dating{}
	for _, rec := range l.Records {
		if rec.rolled != nil {
			rec.dateAsRolled(noted[rec.Hash], mayBackdate[rec.Lane.Writer])
			continue
		}
		d := lanes[rec.Lane]
		if d == nil {
			d = l.rolled.dating(rec.Lane)
			lanes[rec.Lane] = d
		}
		d.date(rec, noted[rec.Hash], mayBackdate[rec.Lane.Writer])
	}
}

// dating dates the records of one lane, in order.
type dating struct {
	before time.Time // the date of the record before
	began  time.Time // of the first of the checkpoints just before, which show that a backup was at work
}

func (d *dating) date(rec *Record, noted time.Time, mayBackdate bool) {
	rec.Date, rec.Undated, rec.backdates = noted, false, mayBackdate
	if noted.IsZero() {
		rec.Date = rec.Stored
		rec.Undated = !mayBackdate && undated(rec.Time, rec.Date) || d.before.Sub(rec.Date) > clockTolerance
	}
	if d.began.IsZero() || rec.Date.Before(d.began) {
		d.began = rec.Date
	}
	d.before, rec.began = rec.Date, d.began
	if rec.Kind != Checkpoint {
		d.began = time.Time{}
	}
}

// dating returns the state after the rolled-up records of a lane.
func (l *rolled) dating(lane Lane) *dating {
	if l == nil {
		return &dating{}
	}
	floor := l.Lanes[lane.String()]
	return &dating{before: floor.Date, began: floor.Began}
}

// dateAsRolled sets the date of a record that a roll keeps in force: the one it had, or an earlier
// one that was noted since.
func (rec *Record) dateAsRolled(noted time.Time, mayBackdate bool) {
	rec.Date, rec.Undated, rec.backdates = noted, false, mayBackdate
	if noted.IsZero() || noted.After(rec.rolled.Date) {
		rec.Date, rec.Undated = rec.rolled.Date, rec.rolled.Undated && noted.IsZero()
	}
	rec.began = rec.rolled.Began
	if rec.began.IsZero() || rec.Date.Before(rec.began) {
		rec.began = rec.Date
	}
}

// date sets the dates of a snapshot from its record. The sealed part claims the time: when the
// backup began, which must not be long before the first sign of the backup, or the time that the
// user gave.
func (s *Snapshot) date(rec *Record) {
	s.Date, s.Claimed, s.Time = rec.Date, s.Time, believable(s.Time, rec.Date)
	s.Undated = rec.Undated || !rec.backdates && undated(s.Claimed, rec.began) || s.Origin != nil && s.Origin.Undated
}

// notedDates returns the earliest dates that the owner and collectors have noted.
func (l *Log) notedDates() map[archive.Name]time.Time {
	noted := map[archive.Name]time.Time{}
	for _, rec := range l.Records {
		if !rec.ofOwner {
			continue
		}
		for text, date := range rec.Dates {
			name, err := archive.ParseName(text)
			if old, there := noted[name]; err == nil && (!there || date.Before(old)) {
				noted[name] = date
			}
		}
	}
	return noted
}

// LastOf returns the number of the last record of each of a writer's lanes. The result is never
// nil.
func (l *Log) LastOf(writer string) map[string]uint64 {
	last := map[string]uint64{}
	for lane, rec := range l.heads {
		if lane.Writer == writer {
			last[lane.String()] = rec.Sequence
		}
	}
	return last
}

// LastOfAll returns the number of the last record of every lane.
func (l *Log) LastOfAll() map[string]uint64 {
	last := map[string]uint64{}
	for lane, rec := range l.heads {
		last[lane.String()] = rec.Sequence
	}
	return last
}

// Roll returns the number of the newest roll, 0 if there is none.
func (l *Log) Roll() uint64 {
	if l.rolled == nil {
		return 0
	}
	return l.rolled.Number
}

// UndatedRecords returns the records whose dates are unreliable.
func (l *Log) UndatedRecords() (list []*Record) {
	for _, rec := range l.Records {
		if rec.Undated && rec.Kind != Tombstone {
			list = append(list, rec)
		}
	}
	return list
}

// DateFromClaims records, for records without a reliable date, the times that their writers claim.
// It handles a limited number in one session, which it ends, and returns that number.
func (s *Session) DateFromClaims(ctx context.Context) (int, error) {
	dates := map[string]time.Time{}
	for _, rec := range s.Log.UndatedRecords() {
		if len(dates) < mostDates {
			dates[rec.Hash.String()] = rec.Time.UTC()
		}
	}
	if len(dates) == 0 {
		return 0, s.giveUp(ctx, nil)
	}
	rec, err := s.put(ctx, clear{Kind: Date, Dates: dates})
	if err != nil {
		return 0, s.giveUp(ctx, err)
	}
	s.finish(rec)
	return len(dates), nil
}

package catalog

import (
	"context"
	"time"

	"github.com/packstone/packstone/archive"
)

const (
	// clockTolerance is how far a writer's clock may be ahead of the store's.
	clockTolerance = 5 * time.Minute
	// dateTolerance is how much later than its signed time a record may come to the store.
	dateTolerance = 24 * time.Hour
)

// believable is the moment that a snapshot counts as of: the one that its writer claims, but never
// one that lies after its date.
func believable(claimed, date time.Time) time.Time {
	if date.IsZero() || !claimed.After(date.Add(clockTolerance)) {
		return claimed
	}
	return date
}

// undated tells whether what came to be at date claims to be from so long before that it was rather
// copied, or dated back.
func undated(claimed, date time.Time) bool { return date.Sub(claimed) > dateTolerance }

// date gives every record its date: the earliest that a record of the owner or a collector has
// noted, else the store's. That cannot be relied on where it lies long after the time that the
// writer has signed, who may not backdate, or before the date of the lane's record before: then the
// objects were copied by something that kept no dates.
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

// dating goes along one lane.
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

// dating begins after what is rolled up of a lane.
func (l *rolled) dating(lane Lane) *dating {
	if l == nil {
		return &dating{}
	}
	floor := l.Lanes[lane.String()]
	return &dating{before: floor.Date, began: floor.Began}
}

// dateAsRolled gives a record that is in force by a roll the date that it had, or an earlier one
// that was noted since.
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

// date dates a snapshot by its record. The time that it is of was claimed in the sealed part: when
// the backup began, which must not lie long before the first sign of it, or what the writer was
// told.
func (s *Snapshot) date(rec *Record) {
	s.Date, s.Claimed, s.Time = rec.Date, s.Time, believable(s.Time, rec.Date)
	s.Undated = rec.Undated || !rec.backdates && undated(s.Claimed, rec.began) || s.Origin != nil && s.Origin.Undated
}

// notedDates are the earliest dates that the owner and collectors have noted.
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

// LastOf are the numbers of the last records of a writer's lanes. It is never nil.
func (l *Log) LastOf(writer string) map[string]uint64 {
	last := map[string]uint64{}
	for lane, rec := range l.heads {
		if lane.Writer == writer {
			last[lane.String()] = rec.Sequence
		}
	}
	return last
}

// LastOfAll are the numbers of the last records of all lanes.
func (l *Log) LastOfAll() map[string]uint64 {
	last := map[string]uint64{}
	for lane, rec := range l.heads {
		last[lane.String()] = rec.Sequence
	}
	return last
}

// Roll is the number of the newest roll, 0 if there is none.
func (l *Log) Roll() uint64 {
	if l.rolled == nil {
		return 0
	}
	return l.rolled.Number
}

// UndatedRecords are the records whose dates cannot be relied on.
func (l *Log) UndatedRecords() (list []*Record) {
	for _, rec := range l.Records {
		if rec.Undated && rec.Kind != Tombstone {
			list = append(list, rec)
		}
	}
	return list
}

// DateFromClaims lets records be of when their writers say, from then on: at most so many in one
// session, which it ends. It returns how many it has dated.
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

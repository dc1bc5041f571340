package catalog

import (
	"time"

	"github.com/packstone/packstone/archive"
)

const (
	// clockTolerance is how far a writer's clock may be ahead of the store's.
	clockTolerance = 5 * time.Minute
	// dateTolerance is how much later than its signed time a record may come to the store.
	dateTolerance = 24 * time.Hour
)

// believable is the moment that a snapshot counts as of: the one that its writer claims, but never one that lies after its date.
func believable(claimed, date time.Time) time.Time {
	if date.IsZero() || !claimed.After(date.Add(clockTolerance)) {
		return claimed
	}
	return date
}

// date gives every record its date: the earliest that a record of the owner or a collector has noted, else the store's. It cannot be relied on
// where it lies long after the time that the writer has signed, or before the date of the lane's record before: then
// the objects were copied by something that kept no dates.
func (l *Log) date() {
	noted := l.notedDates()
	before := map[Lane]time.Time{}
	for _, rec := range l.Records {
		rec.dateBy(noted[rec.Hash], before[rec.Lane])
		before[rec.Lane] = rec.Date
	}
}

func (rec *Record) dateBy(noted, before time.Time) {
	if rec.Date, rec.Undated = noted, false; !noted.IsZero() {
		return
	}
	rec.Date = rec.Stored
	rec.Undated = rec.Date.Sub(rec.Time) > dateTolerance || rec.Date.Before(before)
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

// lastOf are the last records of a member's lanes.
func (l *Log) lastOf(writer string) map[string]uint64 {
	last := map[string]uint64{}
	for lane, rec := range l.heads {
		if lane.Writer == writer {
			last[lane.String()] = rec.Sequence
		}
	}
	return last
}

package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
)

// Fate is what the owner and collectors have decided about a commit or checkpoint and not revoked.
// It is nil if nobody has decided anything.
type Fate struct {
	forgets  []*Record
	holds    []*Record
	released time.Time // when a hold was taken back last
}

// Gone returns when the record was first forgotten, or when the last hold on it ended if that was
// later. It is zero if the record is not forgotten, or held at now.
func (f *Fate) Gone(now time.Time) time.Time {
	if f == nil || len(f.forgets) == 0 || len(f.Holds(now)) > 0 {
		return time.Time{}
	}
	gone := f.forgets[0].Date
	for _, rec := range f.forgets {
		if rec.Date.Before(gone) {
			gone = rec.Date
		}
	}
	if gone.IsZero() {
		gone = now // this process has just done it
	}
	for _, rec := range f.holds { // all of them have ended
		gone = latest(gone, rec.Until)
	}
	return latest(gone, f.released)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Holds returns the holds on the record at now.
func (f *Fate) Holds(now time.Time) (holds []*Record) {
	if f == nil {
		return nil
	}
	for _, rec := range f.holds {
		if rec.Until.IsZero() || rec.Until.After(now) {
			holds = append(holds, rec)
		}
	}
	return holds
}

// Fate returns what was decided about a record.
func (l *Log) Fate(id archive.Name) *Fate { return l.fates[id] }

// decides reports whether only the owner and collectors may write records of this kind.
func (k Kind) decides() bool { return k == Forget || k == Undelete || k == Hold || k == Unhold }

// decide computes the fates of commits. A record that revokes a forget or a hold names it, so that
// a later forget or hold counts.
func (l *Log) decide() {
	l.fates, l.Powerless = map[archive.Name]*Fate{}, nil
	type pair struct{ cancelled, subject string }
	cancelled, released := map[pair]bool{}, map[string]time.Time{}
	var forgets, holds []*Record
	for _, rec := range l.Records {
		switch {
		case !rec.Kind.decides():
			continue
		case !rec.ofOwner:
			l.Powerless = append(l.Powerless, rec.Name())
			continue
		case rec.Kind == Forget:
			forgets = append(forgets, rec)
		case rec.Kind == Hold:
			holds = append(holds, rec)
		default:
			for _, subject := range rec.Subjects {
				if rec.Kind == Unhold {
					released[subject] = latest(released[subject], rec.Date)
				}
			}
			for _, what := range rec.Cancels {
				for _, subject := range rec.Subjects {
					cancelled[pair{what, subject}] = true
				}
			}
		}
	}
	counts := func(rec *Record, subject string) bool { return !cancelled[pair{rec.Hash.String(), subject}] }
	for _, rec := range forgets {
		l.each(rec, counts, func(f *Fate) { f.forgets = append(f.forgets, rec) })
	}
	for _, rec := range holds {
		l.each(rec, counts, func(f *Fate) { f.holds = append(f.holds, rec) })
	}
	for subject, at := range released {
		if id, err := archive.ParseName(subject); err == nil && l.fates[id] != nil {
			l.fates[id].released = at
		}
	}
}

// each calls do with the fate of each subject for which the decision counts.
func (l *Log) each(rec *Record, counts func(*Record, string) bool, do func(*Fate)) {
	for _, text := range slices.Compact(slices.Sorted(slices.Values(rec.Subjects))) {
		id, err := archive.ParseName(text)
		if err != nil || !counts(rec, text) {
			continue
		}
		if l.fates[id] == nil {
			l.fates[id] = &Fate{}
		}
		do(l.fates[id])
	}
}

// commits returns the commits with a chosen fate.
func (l *Log) commits(chosen func(*Fate) bool) []*Record {
	return slices.DeleteFunc(slices.Clone(l.Records), func(rec *Record) bool { return rec.Kind != Commit || !chosen(l.Fate(rec.Hash)) })
}

// Forgotten returns the forgotten snapshots whose ids begin with prefix, which has at least four
// digits.
func (l *Log) Forgotten(prefix string) []archive.Name {
	return withPrefix(l.commits(func(f *Fate) bool { return !f.Gone(l.now).IsZero() }), prefix)
}

// Counting returns the snapshots that count whose ids begin with prefix, which has at least four
// digits.
func (l *Log) Counting(prefix string) []archive.Name {
	return withPrefix(l.commits(func(f *Fate) bool { return f.Gone(l.now).IsZero() }), prefix)
}

func withPrefix(records []*Record, prefix string) (ids []archive.Name) {
	for _, rec := range records {
		if len(prefix) >= shortestPrefix && strings.HasPrefix(rec.Hash.String(), prefix) {
			ids = append(ids, rec.Hash)
		}
	}
	return ids
}

// Held is a hold on a snapshot.
type Held struct {
	Reason string    `json:"reason"`
	Until  time.Time `json:"-"` // zero: until somebody takes it back
	By     string    `json:"-"` // who has signed it
	Since  time.Time `json:"-"`
}

// tellFates sets in snapshots what was decided about them. Holds with an unreadable reason count
// too; their errors are returned together.
func (r *Repository) tellFates(ctx context.Context, log *Log, snapshots []*Snapshot) (problems error) {
	read := map[archive.Name]Held{}
	for _, s := range snapshots {
		fate := log.Fate(s.ID)
		s.Gone = fate.Gone(log.now)
		for _, rec := range fate.Holds(log.now) {
			held, known := read[rec.Hash]
			if !known {
				problems = errors.Join(problems, r.openSealed(ctx, rec, &held))
				held.Until, held.By, held.Since = rec.Until, rec.by.Name(), rec.Date
				read[rec.Hash] = held
			}
			s.Held = append(s.Held, held)
		}
	}
	return problems
}

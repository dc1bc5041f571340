package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
)

// Rewriting is a choice of snapshots to rewrite, and of those to forget afterwards.
type Rewriting struct {
	Snapshots []*catalog.Snapshot // that are to be made anew, each as it is by now

	before map[archive.Name][]*catalog.Snapshot // what the snapshot with this id has taken the place of, or will; the original first
	after  map[archive.Name]archive.Name        // what was made of it in this run
}

// NewRewriting chooses snapshots by their names, or all that pass the view's filter. If an earlier
// run with the same writer's key has rewritten a snapshot and was interrupted before it forgot the
// original, the new snapshot is chosen instead of the original.
func NewRewriting(v *view.View, names []string) (*Rewriting, error) {
	writer, err := v.Repo.Writer()
	if err != nil {
		return nil, err
	}
	chosen, err := v.Choose(names)
	if err != nil {
		return nil, err
	}
	r := &Rewriting{before: map[archive.Name][]*catalog.Snapshot{}, after: map[archive.Name]archive.Name{}}
	l := lineage(v.Snapshots, writer.Signer.Name())
	for _, s := range chosen {
		if row := l.of(s); !slices.Contains(r.Snapshots, row[len(row)-1]) {
			r.take(row)
		}
	}
	return r, nil
}

func (r *Rewriting) take(row []*catalog.Snapshot) {
	last := row[len(row)-1]
	r.Snapshots = append(r.Snapshots, last)
	r.before[last.ID] = row[:len(row)-1]
}

// line maps counting snapshots to the counting snapshots from which the same writer has made them,
// in runs that were interrupted before they forgot the originals. (If both have the same date, the
// original was undeleted.) What other writers claim is ignored, since it proves nothing.
type line struct {
	was map[*catalog.Snapshot]*catalog.Snapshot
	is  map[*catalog.Snapshot]*catalog.Snapshot
}

func lineage(all []*catalog.Snapshot, writer string) line {
	l := line{map[*catalog.Snapshot]*catalog.Snapshot{}, map[*catalog.Snapshot]*catalog.Snapshot{}}
	byID := map[string]*catalog.Snapshot{}
	for _, s := range all {
		byID[s.ID.String()] = s
	}
	for _, s := range all {
		old := byID[s.Replaces]
		if old != nil && s.Writer == writer && s.Host == old.Host && s.Set == old.Set && !s.Date.Equal(old.Date) {
			l.was[s], l.is[old] = old, s
		}
	}
	return l
}

// of returns the chain of originals that ends in a snapshot, the first original first. An id is a
// hash over the name of its original, so there are no cycles.
func (l line) of(s *catalog.Snapshot) (row []*catalog.Snapshot) {
	for l.was[s] != nil && l.is[l.was[s]] == s {
		s = l.was[s]
	}
	for ; s != nil; s = l.is[s] {
		row = append(row, s)
	}
	return row
}

// Made records the snapshot that was made from another.
func (r *Rewriting) Made(old, now *catalog.Snapshot) { r.after[old.ID] = now.ID }

// Left returns the snapshots that an earlier run has rewritten but not forgotten.
func (r *Rewriting) Left() (ids []archive.Name) {
	for _, s := range r.Snapshots {
		for _, old := range r.before[s.ID] {
			ids = append(ids, old.ID)
		}
	}
	return ids
}

// Replaced returns the snapshots to forget, each with the one that has replaced it.
func (r *Rewriting) Replaced() (list []catalog.Replaced) {
	for _, s := range r.Snapshots {
		row, last := r.before[s.ID], s.ID
		if now, made := r.after[s.ID]; made {
			row, last = append(slices.Clone(row), s), now
		}
		for _, old := range row {
			replaced := catalog.Replaced{Old: old.ID, New: last}
			if !row[0].Undated {
				replaced.Date = row[0].Date
			}
			list = append(list, replaced)
		}
	}
	return list
}

// Finish forgets the replaced snapshots. Their dates and holds pass to those that have replaced them;
// the holds first, so that nothing is ever without one. decide writes one record of the owner or of
// a collector.
func (r *Rewriting) Finish(ctx context.Context, decide func(do func(*catalog.Session) error) error) (forgotten int, err error) {
	replaced := r.Replaced()
	if len(replaced) == 0 {
		return 0, nil
	}
	for _, s := range r.Snapshots {
		if err := r.passHolds(ctx, s, decide); err != nil {
			return 0, err
		}
	}
	return len(replaced), decide(func(s *catalog.Session) error { return s.Replace(ctx, replaced) })
}

// passHolds holds what has replaced a snapshot, and those before it, as these are held, and releases
// these.
func (r *Rewriting) passHolds(ctx context.Context, last *catalog.Snapshot, decide func(do func(*catalog.Session) error) error) error {
	row, now, has := r.before[last.ID], last.ID, last.Held
	if made, ok := r.after[last.ID]; ok {
		row, now, has = append(slices.Clone(row), last), made, nil
	}
	for _, old := range row {
		for _, held := range old.Held {
			same := func(h catalog.Held) bool { return h.Reason == held.Reason && h.Until.Equal(held.Until) }
			if slices.ContainsFunc(has, same) {
				continue
			}
			has = append(slices.Clone(has), held)
			before := -1
			err := decide(func(s *catalog.Session) error {
				holds := len(s.Log.Fate(now).Holds(time.Now()))
				if before >= 0 && holds > before {
					return s.GiveUp(ctx, nil) // an attempt of which nobody knew whether it counts has held it
				}
				before = holds
				return s.Hold(ctx, []archive.Name{now}, held.Reason, held.Until)
			})
			if err != nil {
				return err
			}
		}
		if len(old.Held) == 0 {
			continue
		}
		if err := decide(func(s *catalog.Session) error { return s.Unhold(ctx, []archive.Name{old.ID}) }); err != nil {
			return err
		}
	}
	return nil
}

// MayRewrite returns an error if the writer whose key is at hand cannot rewrite a snapshot.
func MayRewrite(repo *catalog.Repository, s *catalog.Snapshot) error {
	writer, err := repo.Writer()
	if err != nil {
		return err
	}
	if s.Standing == catalog.Outside {
		return catalog.Refuse("snapshot %s cannot be rewritten, since its writer may not back up the host that it names; remove it with packstone forget", s.ShortID())
	}
	if s.Domain != uint64(writer.DomainNumber) {
		return catalog.Refuse("snapshot %s is of domain %d, and the key of writer %s is for domain %d: it can be rewritten after packstone key rotate --reencrypt",
			s.ShortID(), s.Domain, writer.Signer.Name(), writer.DomainNumber)
	}
	if err := repo.MaySpeakFor(s.Host); err != nil {
		return fmt.Errorf("snapshot %s cannot be rewritten: %w", s.ShortID(), err)
	}
	return nil
}

package admin

import (
	"fmt"
	"slices"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
)

// Rewriting says which snapshots are made anew, and which are forgotten for it.
type Rewriting struct {
	Snapshots []*catalog.Snapshot // that are to be made anew, each as it is by now

	before map[archive.Name][]*catalog.Snapshot // what the snapshot with this id has taken the place of, or will; the original first
	after  map[archive.Name]archive.Name        // what was made of it in this run
}

// NewRewriting chooses snapshots by their names, or all that pass the view's filter. Where an
// earlier run with the same writer's key has made a snapshot anew and was interrupted before it
// could forget what that replaces, the new one is taken in its place.
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

// line says which snapshots that count one writer has made of which others that count, and was
// interrupted before it could forget these: else both were of one date, and the other was brought
// back. What others say of it proves nothing.
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

// of is the row that a snapshot stands in, the original first. An id is a hash of what names the
// one before, so that there are no circles.
func (l line) of(s *catalog.Snapshot) (row []*catalog.Snapshot) {
	for l.was[s] != nil && l.is[l.was[s]] == s {
		s = l.was[s]
	}
	for ; s != nil; s = l.is[s] {
		row = append(row, s)
	}
	return row
}

// Made notes what was made of a snapshot.
func (r *Rewriting) Made(old, now *catalog.Snapshot) { r.after[old.ID] = now.ID }

// Left are the snapshots of which an earlier run has made others.
func (r *Rewriting) Left() (ids []archive.Name) {
	for _, s := range r.Snapshots {
		for _, old := range r.before[s.ID] {
			ids = append(ids, old.ID)
		}
	}
	return ids
}

// Replaced are the snapshots that are to be forgotten, and what has taken the place of each.
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

// MayRewrite fails if the writer whose key is at hand cannot make a snapshot anew.
func MayRewrite(repo *catalog.Repository, s *catalog.Snapshot) error {
	writer, err := repo.Writer()
	if err != nil {
		return err
	}
	if s.Standing == catalog.Outside {
		return catalog.Refuse("snapshot %s cannot be rewritten, since its writer may not back up the host that it names; remove it with packstone forget", s.ShortID())
	}
	if s.Domain != uint64(writer.DomainNumber) {
		return catalog.Refuse("snapshot %s is of domain %d, and the key of writer %s is for domain %d: it cannot be rewritten", s.ShortID(), s.Domain,
			writer.Signer.Name(), writer.DomainNumber)
	}
	if err := repo.MaySpeakFor(s.Host); err != nil {
		return fmt.Errorf("snapshot %s cannot be rewritten: %w", s.ShortID(), err)
	}
	return nil
}

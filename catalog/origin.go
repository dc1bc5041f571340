package catalog

import (
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// Origin names a snapshot of another repository with the same content as this one: this one is a
// copy of it, or both were taken in one run.
type Origin struct {
	Repository string `json:"repository"` // its id
	Snapshot   string `json:"snapshot"`   // 64 hex digits
	// Undated: the date at which the other repository got the snapshot is unreliable, and so is the
	// one here.
	Undated bool `json:"undated,omitempty"`
}

// mark returns the origin as it is written in the clear part of a commit, where whoever makes
// copies finds it without reading the sealed part.
func (o *Origin) mark(key *crypto.IDKey) string {
	if o == nil {
		return ""
	}
	return mark(key, []string{"origin", o.Repository, o.Snapshot})
}

// Twins tells which snapshots of another repository this one has too.
type Twins struct {
	repository string // the other one's id
	keys       []*crypto.IDKey
	marks      map[string]*Record
	own        *Log
}

// Twins returns which snapshots of another repository a log names as origins, in commits of writers
// on which the one at hand relies. Forgotten commits count too, as long as they are in the log. It
// fails with ErrNoWriter without a writer's key.
func (r *Repository) Twins(log *Log, repository string) (*Twins, error) {
	w, err := r.Writer()
	if err != nil {
		return nil, err
	}
	t := &Twins{repository: repository, marks: map[string]*Record{}, own: log}
	for _, domain := range r.domains {
		t.keys = append(t.keys, domain.GroupKey())
	}
	for _, rec := range log.Records {
		if rec.Kind == Commit && rec.Origin != "" && r.trusts(w.Signer.Name(), rec) {
			t.marks[rec.Origin] = rec
		}
	}
	return t, nil
}

// Of returns the commit with the same content as a snapshot of the other repository, nil if there
// is none.
func (t *Twins) Of(id archive.Name) *Record {
	o := &Origin{Repository: t.repository, Snapshot: id.String()}
	for _, key := range t.keys {
		if rec := t.marks[o.mark(key)]; rec != nil {
			return rec
		}
	}
	return nil
}

// IsBack reports whether a snapshot of the other repository is itself a copy of one of this
// repository.
func (t *Twins) IsBack(s *Snapshot, id string) bool {
	return s.Origin != nil && s.Origin.Repository == id && t.own.findHex(s.Origin.Snapshot) != nil
}

// SharesDomain reports whether content has the same ids in another repository's domain as in the
// one with which this repository is written.
func (r *Repository) SharesDomain(domain crypto.Domain) bool {
	w := r.options.Keys.Writer
	return w != nil && w.Domain.Origin() == domain.Origin() && w.Domain.PageKey() == domain.PageKey()
}

// MayBackdate reports whether the writer at hand may make snapshots of an earlier day. If it may
// not, those that it makes count as undated.
func (r *Repository) MayBackdate() (bool, error) {
	w, err := r.Writer()
	if err != nil {
		return false, err
	}
	return r.Config.backdaters()[w.Signer.Name()], nil
}

// IsBackdated reports whether a snapshot committed now would count as dated back.
func (r *Repository) IsBackdated(s *Snapshot) bool { return undated(s.Time, r.now()) }

// OfSet returns the commits of complete snapshots of a set and host that count, whoever has made
// them, sorted by the times that they claim, oldest first. It needs a writer's key but no identity.
func (r *Repository) OfSet(log *Log, set, host string) ([]*Record, error) {
	w, err := r.Writer()
	if err != nil {
		return nil, err
	}
	group := groupOf(w.Domain.GroupKey(), &Snapshot{Set: set, Host: host})
	all := slices.DeleteFunc(log.commits(func(f *Fate) bool { return f.Gone(log.now).IsZero() }), func(rec *Record) bool {
		return rec.Group != group || !rec.Complete
	})
	slices.SortStableFunc(all, func(a, b *Record) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// Lacks returns the snapshots of a set and host that another repository has and this one lacks,
// oldest first. It leaves out snapshots older than the first that this one has, or older than
// since.
func (r *Repository) Lacks(log *Log, other *Repository, otherLog *Log, set, host string, since time.Time) (ids []archive.Name, err error) {
	ours, err := r.OfSet(log, set, host)
	if err != nil || len(ours) == 0 {
		return nil, err
	}
	theirs, err := other.OfSet(otherLog, set, host)
	if err != nil {
		return nil, err
	}
	twins, err := r.Twins(log, other.Format.Repository)
	if err != nil {
		return nil, err
	}
	back, err := other.Twins(otherLog, r.Format.Repository)
	if err != nil {
		return nil, err
	}
	same := map[archive.Name]bool{}
	for _, rec := range log.commits(func(*Fate) bool { return true }) {
		if twin := back.Of(rec.Hash); twin != nil {
			same[twin.Hash] = true
		}
	}
	for _, rec := range theirs {
		if twins.Of(rec.Hash) == nil && !same[rec.Hash] && rec.Time.After(ours[0].Time) && rec.Time.After(since) {
			ids = append(ids, rec.Hash)
		}
	}
	return ids, nil
}

package catalog

import (
	"slices"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/crypto"
)

// Origin names the snapshot of another repository that a snapshot holds the same as: of which it is
// a copy, or with which it was taken in one run.
type Origin struct {
	Repository string `json:"repository"` // its id
	Snapshot   string `json:"snapshot"`   // 64 hex digits
	// Undated: when the other repository has come by it is not sure, and so it is not of what is
	// the same.
	Undated bool `json:"undated,omitempty"`
}

// mark is the origin in the clear part of a commit: whoever makes copies finds it there without
// reading what is sealed.
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

// Twins reads a log for what it has of another repository: commits that name a snapshot of it, by
// writers on which the one at hand relies. One that was forgotten counts too, as long as the log
// has it. ErrNoWriter without a writer's key.
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

// Of returns the commit that holds the same as a snapshot of the other repository, nil if there is
// none.
func (t *Twins) Of(id archive.Name) *Record {
	o := &Origin{Repository: t.repository, Snapshot: id.String()}
	for _, key := range t.keys {
		if rec := t.marks[o.mark(key)]; rec != nil {
			return rec
		}
	}
	return nil
}

// IsBack tells whether a snapshot of the other repository is itself the same as one of this.
func (t *Twins) IsBack(s *Snapshot, id string) bool {
	return s.Origin != nil && s.Origin.Repository == id && t.own.findHex(s.Origin.Snapshot) != nil
}

// SharesDomain tells whether content of a domain of another repository has the same names in what
// is written to this one.
func (r *Repository) SharesDomain(domain crypto.Domain) bool {
	w := r.options.Keys.Writer
	return w != nil && w.Domain.Origin() == domain.Origin() && w.Domain.PageKey() == domain.PageKey()
}

// MayBackdate tells whether the writer at hand may make snapshots of an earlier day. Those that it
// makes all the same count as undated.
func (r *Repository) MayBackdate() (bool, error) {
	w, err := r.Writer()
	if err != nil {
		return false, err
	}
	return r.Config.backdaters()[w.Signer.Name()], nil
}

// IsBackdated tells whether a snapshot that is made now would be dated back.
func (r *Repository) IsBackdated(s *Snapshot) bool { return undated(s.Time, r.now()) }

// OfSet are the commits of complete snapshots of a set and host that count, whoever has made them,
// oldest first by the time that they say. It needs a writer's key, and no identity.
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

// Lacks are the snapshots of a set and host that another repository has and this one has not,
// oldest first: of those that are not older than the first that this one has, nor than since.
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

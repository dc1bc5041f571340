package view

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
)

// Pick returns the snapshot that a name means among those that pass f, and warns of what the user
// should know before using it. If the name might mean another snapshot that the repository no
// longer shows, Pick fails, unless the options accept that.
func (v *View) Pick(name string, f catalog.Filter) (*catalog.Snapshot, error) {
	s, err := catalog.Select(v.Snapshots, name, f)
	if errors.Is(err, catalog.ErrNoSnapshot) {
		return nil, v.orForgotten(name, err)
	}
	if err != nil {
		return nil, err
	}
	v.tellTrust(s)
	if at, ok := strings.CutPrefix(name, "@"); ok {
		if moment, err := catalog.ParseMoment(at); err == nil {
			v.options.Note("up to %s: snapshot %s of %s", local(moment), s.ShortID(), local(s.Time))
		}
	}
	host := f.Host
	if f.Prefer != "" {
		v.tellHost(s, f.Prefer)
	}
	if f.Prefer == s.Host {
		host = s.Host
	}
	err = v.Repo.Certain(v.Log, v.doubts, name, host, s)
	if err != nil && !v.options.AcceptRollback {
		return nil, fmt.Errorf("%w; name a snapshot by its id, or continue with what is there with --accept-rollback", err)
	}
	return s, nil
}

// tellTrust warns of a snapshot that its writer may not have been allowed to make, or not at that
// time.
func (v *View) tellTrust(s *catalog.Snapshot) {
	switch {
	case s.Standing == catalog.Outside:
		v.warn("snapshot %s claims to be of host %s, but its writer %s may not back up that host: "+
			"do not trust its content", s.ShortID(), entry.Printable(s.Host), s.Writer)
	case s.Undated:
		v.warn("snapshot %s claims to be of %s, but the storage has had it only since %s: it was backdated or copied", s.ShortID(), local(s.Claimed), local(s.Date))
	}
}

// tellHost notes from which host a snapshot is, if the user has not chosen a host.
func (v *View) tellHost(s *catalog.Snapshot, preferred string) {
	if s.Host == preferred {
		v.options.Note("snapshot %s of this host, %s, of %s", s.ShortID(), entry.Printable(s.Host), local(s.Time))
		return
	}
	v.warn("snapshot %s is of host %s, not of this one, which is %s", s.ShortID(), entry.Printable(s.Host), entry.Printable(preferred))
}

// local formats a moment in local time.
func local(t time.Time) string { return t.Local().Format(time.DateTime) }

// orForgotten explains an error about a name that means no snapshot: the snapshot may have been
// forgotten.
func (v *View) orForgotten(name string, err error) error {
	for _, id := range v.Log.Forgotten(name) {
		gone := v.Log.Fate(id).Gone(time.Now())
		return fmt.Errorf("snapshot %.12s was forgotten on %s; packstone undelete %.12s brings it back, as long as nothing of it is deleted: %w",
			id, local(gone), id, catalog.ErrNoSnapshot)
	}
	return err
}

// WithID returns the snapshot of a whole id. It fails with catalog.ErrNoSnapshot if there is none, and
// with catalog.ErrNames if the names of its sources can be no names.
func (v *View) WithID(id string) (*catalog.Snapshot, error) {
	for _, s := range v.Snapshots {
		if s.ID.String() == id {
			return s, s.CheckNames()
		}
	}
	return nil, fmt.Errorf("snapshot %.12s is not in the repository any more: %w", id, catalog.ErrNoSnapshot)
}

// Choose returns the named snapshots, or those that pass the filter.
func (v *View) Choose(names []string) (chosen []*catalog.Snapshot, err error) {
	for _, name := range names {
		s, err := v.Pick(name, v.options.Filter)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, s)
	}
	for _, s := range v.Snapshots {
		if len(names) == 0 && v.options.Filter.Matches(s) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// Trusted removes snapshots whose writers may not speak for their hosts, and warns of them.
func (v *View) Trusted(all []*catalog.Snapshot) []*catalog.Snapshot {
	trusted := catalog.Trusted(all)
	if n := len(all) - len(trusted); n > 0 {
		v.warn("left out %s: their writers may not back up the host that they name, or are not bound to it "+
			"although another writer is; packstone snapshots marks them, and only their ids select them", entry.Plural(n, "snapshot"))
	}
	return trusted
}

// Subject is the kind of snapshots that a decision concerns.
type Subject int

// The subjects.
const (
	Counting  Subject = iota // snapshots that count
	Held                     // those of them that are held
	Forgotten                // snapshots that were forgotten
	Either                   // both
)

// Subjects returns the snapshots that names mean. With an identity, any name of a counting snapshot
// is allowed, otherwise only ids.
func (v *View) Subjects(names []string, of Subject) (ids []archive.Name, err error) {
	for _, name := range names {
		id, err := v.subject(name, of)
		if err != nil {
			return nil, err
		}
		if of == Held && len(v.Log.Fate(id).Holds(time.Time{})) == 0 {
			return nil, fmt.Errorf("snapshot %.12s is not held", id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (v *View) subject(name string, of Subject) (id archive.Name, err error) {
	var found []archive.Name
	if of == Forgotten || of == Either {
		found = v.Log.Forgotten(name)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return id, catalog.Misuse("%s: %d ids begin like this; type more of the one you mean", entry.Printable(name), len(found))
	case of == Forgotten:
		return id, fmt.Errorf("%s: no forgotten snapshot has such an id; packstone snapshots --all lists them: %w", entry.Printable(name), catalog.ErrNoSnapshot)
	case v.Repo.CanRead():
		s, err := v.Pick(name, v.options.Filter)
		if err != nil {
			return id, err
		}
		return s.ID, nil
	}
	if found = v.Log.Counting(name); len(found) != 1 {
		return id, fmt.Errorf("%s: %d snapshots have such an id; type more of it", entry.Printable(name), len(found))
	}
	return found[0], nil
}

package catalog

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog/retention"
)

// GroupBy says by what snapshots replace each other in time. The zero value is all of it: only
// those of one set, host and paths do.
type GroupBy struct{ AnySet, AnyHost, AnyPaths bool }

// ParseGroupBy reads set, host and paths, with commas between them.
func ParseGroupBy(text string) (by GroupBy, err error) {
	by = GroupBy{AnySet: true, AnyHost: true, AnyPaths: true}
	for _, word := range strings.Split(text, ",") {
		switch strings.TrimSpace(word) {
		case "set":
			by.AnySet = false
		case "host":
			by.AnyHost = false
		case "paths", "path":
			by.AnyPaths = false
		case "":
		default:
			return by, Misuse("%s: want set, host and paths, with commas between them", text)
		}
	}
	return by, nil
}

// ForRetention are the snapshots that count, as rules see them. Where they were not opened (nil),
// what commits say in clear is taken: which of the snapshots of one writer replace each other, and
// no names and tags.
func (r *Repository) ForRetention(log *Log, snapshots []*Snapshot, by GroupBy) (list []retention.Snapshot) {
	if snapshots != nil {
		for _, s := range snapshots {
			list = append(list, s.forRetention(by))
		}
		return list
	}
	for _, rec := range log.commits(func(f *Fate) bool { return f.Gone(log.now).IsZero() }) {
		list = append(list, log.forRetention(rec))
	}
	return list
}

func (s *Snapshot) forRetention(by GroupBy) retention.Snapshot {
	return retention.Snapshot{
		ID: s.ID.String(), Group: s.Group(by), Time: s.Time, Date: s.Date, Undated: s.Undated, Complete: s.Complete(),
		Marked: s.Marked(), Held: len(s.Held) > 0, Tags: s.Lasting,
	}
}

// Group names what a snapshot is one of: those with the same replace each other in time. One whose
// writer the owner has not admitted for its host is in a group with others of that writer alone,
// since it must not take another's place.
func (s *Snapshot) Group(by GroupBy) string {
	words := []string{"set " + s.Set, "host " + s.Host, "", ""}
	if by.AnySet {
		words[0] = ""
	}
	if by.AnyHost {
		words[1] = ""
	}
	if s.Set == "" && !by.AnyPaths {
		what := s.what()
		slices.Sort(what)
		words[2] = "paths " + strings.Join(what, "\x00")
	}
	if s.Standing != Bound {
		words[3] = "writer " + s.Writer
	}
	return strings.Join(words, "\x01")
}

// OwnGroup is how ForRetention, where snapshots cannot be read, names those of a set that the
// writer whose key is at hand took of a host.
func (r *Repository) OwnGroup(set, host string) (string, error) {
	w, err := r.Writer()
	if err != nil {
		return "", err
	}
	return groupOf(w.Domain.GroupKey(), &Snapshot{Set: set, Host: host}) + " " + w.Signer.Name(), nil
}

// forRetention is what a commit says in clear. Whom it is of is its writer's word: so it takes the
// place of that writer's alone, and one that says nothing is by itself.
func (l *Log) forRetention(rec *Record) retention.Snapshot {
	group := rec.Group + " " + rec.Lane.Writer
	if rec.Group == "" {
		group = rec.Hash.String()
	}
	return retention.Snapshot{
		ID: rec.Hash.String(), Group: group, Time: believable(rec.Time, rec.Date), Date: rec.Date, Undated: rec.Undated, Complete: rec.Complete,
		Marked: rec.Marked, Held: len(l.Fate(rec.Hash).Holds(l.now)) > 0,
	}
}

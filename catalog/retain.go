package catalog

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog/retention"
)

// GroupBy determines which snapshots replace each other over time. With the zero value, those of
// the same set, host and paths do.
type GroupBy struct{ AnySet, AnyHost, AnyPaths bool }

// ParseGroupBy parses a comma-separated list of set, host and paths.
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

// ForRetention returns the snapshots that count, in the form that package retention needs. If
// snapshots is nil, since they were not opened, it uses the clear parts of commits: these tell
// which snapshots of one writer replace each other, but no names and tags.
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

// Group returns the name of the group of snapshots that replace each other over time. A snapshot
// whose writer the owner has not admitted for its host is in a group of that writer alone, since it
// must not replace others.
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

// Divide puts snapshots of one name together. Groups and what is in them keep their order.
func Divide(snapshots []*Snapshot, name func(*Snapshot) string) (groups [][]*Snapshot) {
	at := map[string]int{}
	for _, s := range snapshots {
		i, ok := at[name(s)]
		if !ok {
			i, at[name(s)] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// Newest leaves the newest n of each group, in their order, of snapshots of which the oldest is first.
func (by GroupBy) Newest(snapshots []*Snapshot, n int) (newest []*Snapshot) {
	seen := map[string]int{}
	for _, s := range slices.Backward(snapshots) {
		group := s.Group(by)
		if seen[group]++; seen[group] <= n {
			newest = append(newest, s)
		}
	}
	slices.Reverse(newest)
	return newest
}

// OwnGroup returns the group that ForRetention uses, if snapshots cannot be read, for those of a
// set and host taken by the writer whose key is at hand.
func (r *Repository) OwnGroup(set, host string) (string, error) {
	w, err := r.Writer()
	if err != nil {
		return "", err
	}
	return groupOf(w.Domain.GroupKey(), &Snapshot{Set: set, Host: host}) + " " + w.Signer.Name(), nil
}

// forRetention returns what a commit says in clear. The clear part is only the writer's word, so
// the snapshot replaces those of the same writer only; a commit that says nothing is in a group by
// itself.
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

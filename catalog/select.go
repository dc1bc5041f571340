package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filter says which snapshots a name may mean. Zero fields do not matter.
type Filter struct {
	Set  string
	Host string
	Tags []string // all of them
	// Source, where several sets are possible, leaves only those of which a snapshot holds a source of this name.
	Source string
	// Incomplete lets latest and times mean snapshots in which something is missing.
	Incomplete bool
}

// Matches tells whether s passes the filter, completeness aside.
func (f Filter) Matches(s *Snapshot) bool {
	if f.Set != "" && s.Set != f.Set || f.Host != "" && s.Host != f.Host {
		return false
	}
	return !slices.ContainsFunc(f.Tags, func(t string) bool { return !slices.Contains(s.Tags, t) })
}

// Select finds the snapshot that name means among snapshots, which are sorted by time: "latest", "latest~N", "@TIME" (the newest
// at or before), an id or the beginning of one. ErrNoSnapshot, ErrBadName, or ErrAmbiguous with the candidates named.
func Select(snapshots []*Snapshot, name string, f Filter) (*Snapshot, error) {
	switch {
	case name == "latest":
		return newest(snapshots, name, 0, f)
	case strings.HasPrefix(name, "latest~"):
		back, err := strconv.ParseUint(name[len("latest~"):], 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%s: want latest~N, such as latest~1 for the one before the newest: %w", name, ErrBadName)
		}
		return newest(snapshots, name, int(back), f)
	case strings.HasPrefix(name, "@"):
		at, err := ParseTime(name[1:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, err, ErrBadName)
		}
		return SelectAt(snapshots, at, f)
	}
	return byPrefix(snapshots, name)
}

// SelectAt finds the newest snapshot at or before a moment.
func SelectAt(snapshots []*Snapshot, at time.Time, f Filter) (*Snapshot, error) {
	before := slices.DeleteFunc(slices.Clone(snapshots), func(s *Snapshot) bool { return s.Time.After(at) })
	return newest(before, "@"+at.Format(time.RFC3339), 0, f)
}

func newest(snapshots []*Snapshot, name string, back int, f Filter) (*Snapshot, error) {
	var matching []*Snapshot
	var incomplete *Snapshot // the newest
	sets := map[string]bool{}
	for _, s := range snapshots {
		switch {
		case !f.Matches(s):
		case f.Incomplete || s.Complete():
			matching = append(matching, s)
			sets[s.Set] = true
		default:
			incomplete = s
		}
	}
	if holding := holders(matching, f.Source); len(sets) > 1 && len(holding) > 0 {
		matching = slices.DeleteFunc(matching, func(s *Snapshot) bool { return !holding[s.Set] })
		sets = holding
	}
	if len(sets) > 1 {
		return nil, fmt.Errorf("%s could be of several sets, choose one with --set: %s: %w", name, sortedKeys(sets), ErrAmbiguous)
	}
	if len(matching) == 0 && incomplete != nil {
		return nil, fmt.Errorf("%s: every snapshot that matches is incomplete; name one by its id, such as %.12s, or restore with --accept-incomplete: %w",
			name, incomplete.ID, ErrNoSnapshot)
	}
	if back >= len(matching) {
		return nil, fmt.Errorf("%s: %d complete snapshots match: %w", name, len(matching), ErrNoSnapshot)
	}
	return matching[len(matching)-1-back], nil
}

// holders are the sets that have a source in one of their snapshots.
func holders(snapshots []*Snapshot, source string) map[string]bool {
	sets := map[string]bool{}
	for _, s := range snapshots {
		if _, ok := s.Source(source); ok {
			sets[s.Set] = true
		}
	}
	return sets
}

func sortedKeys(m map[string]bool) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, strconv.Quote(k))
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// shortestPrefix is how much of an id must be given.
const shortestPrefix = 4

func byPrefix(snapshots []*Snapshot, prefix string) (*Snapshot, error) {
	if len(prefix) < shortestPrefix || strings.Trim(prefix, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("snapshot %q: want latest, latest~N, @TIME or at least %d digits of an id: %w", prefix, shortestPrefix, ErrBadName)
	}
	var found []*Snapshot
	for _, s := range snapshots {
		if strings.HasPrefix(s.ID.String(), prefix) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("snapshot %s: %w", prefix, ErrNoSnapshot)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("snapshot %s: %d ids begin so: %w", prefix, len(found), ErrAmbiguous)
}

// timeLayouts are the forms of RFC 3339 that a person types, the zone left out or not.
var timeLayouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// ParseTime reads an RFC 3339 time; without a zone it is local. A date alone is its midnight.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		for _, zone := range []string{"", "Z07:00"} {
			if t, err := time.ParseInLocation(layout+zone, text, time.Local); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want the form 2026-11-20T14:00 or 2026-11-20T14:00:05Z", text)
}

package platform

import (
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
)

// Maps are other places of sources than the settings name, by the sources' names.
type Maps map[string]string

// ParseMaps reads SOURCE=PLACE, as --map has it. It fails with catalog.ErrMisuse.
func ParseMaps(texts []string) (Maps, error) {
	all := Maps{}
	for _, text := range texts {
		name, place, ok := strings.Cut(text, "=")
		if !ok || name == "" || place == "" {
			return nil, catalog.Misuse("--map %s: want SOURCE=PLACE, such as files=/srv/files or metadata=postgres://owner@db/new", text)
		}
		if all[name] != "" {
			return nil, catalog.Misuse("--map names two places for %s", name)
		}
		all[name] = place
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// Check refuses, with catalog.ErrMisuse, maps of sources that a snapshot does not have, and unless
// others come back to where the settings have them, sources that no map names.
func (m Maps) Check(s *catalog.Snapshot, others bool) error {
	names := s.SourceNames()
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, name) {
			return catalog.Misuse("--map %s: snapshot %s has no such source, only %s", name, s.ShortID(), strings.Join(names, ", "))
		}
	}
	for _, name := range names {
		if _, mapped := m[name]; !mapped && !others {
			return catalog.Misuse("%s has no place: name one with --map %s=PLACE, or add --in-place for where the settings have it", name, name)
		}
	}
	return nil
}

// ToGoOn chooses, among reports of restores that are not finished, the one of a restore to the same
// time and places; without one the path is empty. Any other restore that has changed something is
// catalog.ErrRefused: it must be finished or undone first.
func ToGoOn(unfinished map[string]*Report, at string, places Maps) (path string, report *Report, err error) {
	paths := slices.Sorted(maps.Keys(unfinished))
	for _, path := range paths {
		report := unfinished[path]
		if report.State != Undoing && report.At == at && maps.Equal(report.Maps, places) {
			return path, report, nil
		}
	}
	for _, path := range paths {
		if r := unfinished[path]; r.State != Begun {
			return "", nil, catalog.Refuse("a restore of %s to %s was cut off (%s): go on with it by its own --at and --map, or put back what was there with restore --undo %s",
				r.Set, r.At, r.State, path)
		}
	}
	return "", nil, nil
}

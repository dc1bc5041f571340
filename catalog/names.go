package catalog

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// PathsName names the source of a backup of paths, which has no name of its own.
const PathsName = "/"

// validName matches names that can be a folder on every target, and a part of SNAPSHOT:source/path.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidName reports whether a source or a set may have this name.
func ValidName(name string) bool { return validName.MatchString(name) }

// CheckNames fails with ErrNames if the snapshot gives bad names to its sources. A restore writes
// to paths made of these names, and whoever holds a writer's key can put any text there.
func (s *Snapshot) CheckNames() error {
	seen := map[string]bool{}
	for i := range s.Sources {
		source := &s.Sources[i]
		if source.Name != PathsName && !ValidName(source.Name) {
			return s.refused("it names a source %q", source.Name)
		}
		if seen[source.Name] {
			return s.refused("it names two sources %q", source.Name)
		}
		seen[source.Name] = true
		for _, p := range source.Paths {
			if !strings.HasPrefix(p, "/") || path.Clean(p) != p || strings.ContainsRune(p, 0) {
				return s.refused("it names a path %q", p)
			}
		}
	}
	return nil
}

func (s *Snapshot) refused(format string, args ...any) error {
	return fmt.Errorf("snapshot %.12s by the writer %q: %s: %w", s.ID, s.Writer, fmt.Sprintf(format, args...), ErrNames)
}

// named returns a snapshot that was found, unless its names are bad.
func named(s *Snapshot, err error) (*Snapshot, error) {
	if err != nil {
		return nil, err
	}
	if err := s.CheckNames(); err != nil {
		return nil, err
	}
	return s, nil
}

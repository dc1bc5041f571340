package catalog

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// PathsName is the name of the source of a backup of paths, which has none.
const PathsName = "/"

// validName keeps to what can be a folder on every target, and part of SNAPSHOT:source/path.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidName tells whether a source or set may have this name.
func ValidName(name string) bool { return validName.MatchString(name) }

// CheckNames refuses a snapshot by the names that it gives to its sources: by them a restore finds
// where to write, and whoever holds a writer's key can put any text there. ErrNames.
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

// named passes on a snapshot that was found, if its names are good.
func named(s *Snapshot, err error) (*Snapshot, error) {
	if err != nil {
		return nil, err
	}
	if err := s.CheckNames(); err != nil {
		return nil, err
	}
	return s, nil
}

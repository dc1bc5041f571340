package restore

import (
	"fmt"
	"path"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/entry/glob"
)

// NewMatch says which entries of a tree are meant: those at or below the path below ("" is all),
// that match one of the include patterns, if there are any, and none of the exclude patterns. A
// pattern without a slash is matched with each name on the way, one with a slash with whole paths;
// what lies below a match matches too. The directories that lead to a match are not asked for: they
// come with it.
func NewMatch(below string, include, exclude []string) (func(e *entry.Entry) bool, error) {
	include, err := compileAll(include)
	if err != nil {
		return nil, err
	}
	if exclude, err = compileAll(exclude); err != nil {
		return nil, err
	}
	return func(e *entry.Entry) bool {
		if !entry.Within(e.Path, below) {
			return e.Type == entry.Directory && entry.Within(below, e.Path) && len(include) == 0
		}
		if len(include) > 0 && !matchesAny(include, e.Path) {
			return false
		}
		return !matchesAny(exclude, e.Path)
	}, nil
}

func compileAll(patterns []string) ([]string, error) {
	var all []string
	for _, pattern := range patterns {
		compiled, err := glob.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		all = append(all, compiled)
	}
	return all, nil
}

func matchesAny(patterns []string, p string) bool {
	for _, pattern := range patterns {
		if matches(pattern, p) {
			return true
		}
	}
	return false
}

// matches tries the pattern on p and everything above p.
func matches(pattern, p string) bool {
	anchored := strings.Contains(strings.TrimSuffix(pattern, "/"), "/")
	pattern = strings.Trim(pattern, "/")
	for p != "" && p != "." {
		name := p
		if !anchored {
			name = path.Base(p)
		}
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
		p = path.Dir(p)
	}
	return false
}

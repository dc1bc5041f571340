package browse

import (
	"path"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/catalog/entry/glob"
)

// matcher finds what a Query describes.
type matcher struct {
	q        Query
	patterns []pattern
}

// pattern is one of a query. Its literal is in every path that matches, with letters of any case:
// it is quickly looked for, while a match takes a microsecond.
type pattern struct {
	compiled string
	literal  string
}

func (q Query) matcher() (*matcher, error) {
	m := &matcher{q: q}
	compile := glob.Compile
	if q.AnyCase {
		compile = glob.AnyCase
	}
	for _, text := range q.Patterns {
		compiled, err := compile(text)
		if err != nil {
			return m, catalog.Misuse("pattern %q: %w", text, err)
		}
		m.patterns = append(m.patterns, pattern{compiled, literalOf(text)})
	}
	return m, nil
}

// literalOf returns the longest row of ASCII characters of a pattern that stand for themselves.
func literalOf(pattern string) (longest string) {
	if strings.ContainsAny(pattern, `[\`) {
		return "" // what stands for itself there is not told by a glance
	}
	for _, row := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' || r == '/' || r >= 0x80 }) {
		if len(row) > len(longest) {
			longest = row
		}
	}
	return longest
}

// contains reports whether a text has a literal in it, with letters of any case. It may say so of a
// text that only nearly has.
func contains[T string | []byte](text T, literal string) bool {
	if literal == "" {
		return true
	}
	for i := 0; i+len(literal) <= len(text); i++ {
		if text[i]|0x20 == literal[0]|0x20 && nearly(text[i:i+len(literal)], literal) {
			return true
		}
	}
	return false
}

func nearly[T string | []byte](a T, b string) bool {
	for i := range len(b) {
		if a[i]|0x20 != b[i]|0x20 {
			return false
		}
	}
	return true
}

// match reports whether an entry is meant.
func (m *matcher) match(e *entry.Entry) bool {
	if e.Path == "" || !m.q.From.IsZero() && e.ModTime.Time().Before(m.q.From) || !m.q.To.IsZero() && e.ModTime.Time().After(m.q.To) {
		return false
	}
	if m.q.Types != nil && !slices.Contains(m.q.Types, e.Type) {
		return false
	}
	return m.matches(e.Path)
}

// mayMatch reports false if no pattern matches a path, which is quickly found out of most.
func (m *matcher) mayMatch(name []byte) bool {
	return slices.ContainsFunc(m.patterns, func(p pattern) bool { return contains(name, p.literal) })
}

// matches reports whether one of the patterns matches a path.
func (m *matcher) matches(name string) bool {
	for _, p := range m.patterns {
		if contains(name, p.literal) && patternMatches(p.compiled, name) {
			return true
		}
	}
	return false
}

// patternMatches matches a pattern with a whole path if it begins with a slash, else with as many
// of the path's last parts as it has.
func patternMatches(pattern, name string) bool {
	if whole, ok := strings.CutPrefix(pattern, "/"); ok {
		matched, _ := path.Match(whole, name)
		return matched
	}
	start := len(name)
	for range strings.Count(pattern, "/") + 1 {
		if start < 0 {
			return false
		}
		start = strings.LastIndexByte(name[:start], '/')
	}
	matched, _ := path.Match(pattern, name[start+1:])
	return matched
}

// letters are types as find of the shell has them.
var letters = map[string]string{"f": "file", "d": "dir", "l": "symlink", "p": "fifo", "c": "chardev", "b": "dev", "s": "socket"}

// TypeOf reads a type by its word, as ls prints it, or by the letter that find of the shell has.
func TypeOf(word string) (t entry.Type, ok bool) {
	if full := letters[word]; full != "" {
		word = full
	}
	for t := entry.File; t <= entry.Socket; t++ {
		if t.Word() == word {
			return t, true
		}
	}
	return 0, false
}

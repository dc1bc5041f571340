// Package exclude decides what file sources leave out, by patterns as in a .gitignore
// (gitignore(5)).
package exclude

import (
	"fmt"
	"slices"
	"strings"
)

// Patterns decide what is left out. The last pattern that matches counts. They are safe for
// concurrent use; the zero value excludes nothing.
type Patterns struct {
	list        []pattern
	directories bool // one of them asks whether it is a directory
}

// pattern is one line.
type pattern struct {
	takeBack      bool // begins with "!"
	directoryOnly bool // ends with "/"
	// A pattern with a slash that is not at its end is matched with paths relative to bases. Any
	// other pattern has nil bases, and is matched with names.
	bases []string
	plain string // what it begins with, up to the first byte that is not meant as it is
	text  string // the line from bases on, without the exclamation mark
	tail  string // of a name: what follows its only asterisk, the first byte
	shape shape
	wild  wild // all of it
}

type shape uint8

const (
	literal shape = iota // plain is all of it
	ends                 // an asterisk, then tail
	begins               // plain, then an asterisk
	glob
)

// Place is where in a tree patterns apply.
type Place struct {
	// Roots maps directories, by their names on the machine or server, to their paths in the tree.
	// A pattern that begins with such a name is relative to that directory.
	Roots map[string]string
	// Each: the patterns apply in each of Roots, as if each had a .gitignore of its own; otherwise
	// in the tree's top directory. A pattern of a root's path with a wildcard for one of its names
	// (/srv/*/cache) always applies at the top.
	Each bool
}

// Top returns the place of patterns for a tree whose top directory has this name.
func Top(name string) Place { return Place{Roots: map[string]string{name: ""}} }

// Parse parses lines of a .gitignore. A line that can match nothing is an error, unless it is a
// comment.
func Parse(lines []string, place Place) (*Patterns, error) {
	p := new(Patterns)
	if err := p.add(lines, place, func(text string) string { return text }); err != nil {
		return nil, err
	}
	return p, nil
}

// AddAnyCase adds lines like those of Parse, which ignore the case of ASCII letters.
func (p *Patterns) AddAnyCase(lines []string, place Place) error { return p.add(lines, place, AnyCase) }

func (p *Patterns) add(lines []string, place Place, change func(text string) string) error {
	for _, line := range lines {
		text := trimSpaces(line)
		if strings.HasPrefix(text, "#") {
			continue
		}
		one, err := parsePattern(text, place, change)
		if err != nil {
			return fmt.Errorf("exclude pattern %q: %w", line, err)
		}
		p.list = append(p.list, one)
		p.directories = p.directories || one.directoryOnly
	}
	return nil
}

// trimSpaces removes spaces from the end; a backslash keeps the space after it.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if line[i] == ' ' {
			continue
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

// parsePattern parses one line. It applies change to the part that follows the directories.
func parsePattern(text string, place Place, change func(text string) string) (pattern, error) {
	var p pattern
	text, p.takeBack = strings.CutPrefix(text, "!")
	text, p.bases = place.find(text)
	text = change(text)
	p.text = text
	text, p.directoryOnly = strings.CutSuffix(text, "/")
	if strings.Contains(text, "/") {
		text = strings.TrimPrefix(text, "/")
	} else {
		p.bases = nil
	}
	var err error
	if p.wild, err = compile(text, p.bases != nil); err != nil {
		return p, err
	}
	p.shorten(text)
	return p, p.wild.checkNames()
}

// find returns the part of a pattern after the directories to which it is relative, and these
// directories.
func (l Place) find(text string) (string, []string) {
	longest := ""
	for name := range l.Roots {
		if name != "" && name != "/" && len(name) > len(longest) && strings.HasPrefix(text, name+"/") {
			longest = name
		}
	}
	if longest != "" {
		return text[len(longest):], []string{l.Roots[longest]}
	}
	if !l.Each || l.isFromTop(text) {
		return text, []string{""}
	}
	var all []string
	for _, root := range l.Roots {
		all = append(all, root)
	}
	slices.Sort(all)
	return text, slices.Compact(all)
}

// isFromTop reports whether a pattern is about a root's own path, not about paths below it: it
// begins with at least the root's first name, continues with a wildcard, and has more levels than
// the root.
func (l Place) isFromTop(text string) bool {
	below, fromTop := strings.CutPrefix(strings.TrimSuffix(text, "/"), "/")
	special := strings.IndexAny(below, `*?[\`)
	if !fromTop || special < 0 || !strings.Contains(below[:special], "/") {
		return false
	}
	for _, root := range l.Roots {
		deeper := strings.Contains(below, "**") || strings.Count(below, "/") > strings.Count(root, "/")
		if deeper && strings.HasPrefix(root+"/", below[:special]) {
			return true
		}
	}
	return false
}

// shorten finds the literal beginning of a pattern, and whether a simple comparison can replace its
// steps.
func (p *pattern) shorten(text string) {
	special := strings.IndexAny(text, `*?[\`)
	switch {
	case special < 0:
		p.plain = text
		return
	case p.bases == nil && special == len(text)-1 && text[special] == '*':
		p.shape = begins
	case p.bases == nil && special == 0 && text[0] == '*' && !strings.ContainsAny(text[1:], `*?[\`):
		p.shape, p.tail = ends, text[1:]
	default:
		p.shape = glob
	}
	p.plain = text[:special]
}

// Lines returns patterns with the same meaning in the tree's top directory, wherever these apply.
// Parse reads them with the zero Place.
func (p *Patterns) Lines() []string {
	var lines []string
	for i := range p.list {
		one := &p.list[i]
		sign := ""
		if one.takeBack {
			sign = "!"
		}
		if one.bases == nil {
			lines = append(lines, sign+one.text)
		}
		for _, base := range one.bases {
			lines = append(lines, sign+anchored(base)+"/"+strings.TrimPrefix(one.text, "/"))
		}
	}
	return lines
}

// anchored returns a directory's path as the beginning of a pattern for its content.
func anchored(dir string) string {
	if dir == "" {
		return ""
	}
	return "/" + literally.Replace(dir)
}

var literally = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

// Leaves reports whether the patterns exclude a path in the tree, or a directory above it.
func (p *Patterns) Leaves(path string, directory bool) bool {
	if p == nil || len(p.list) == 0 {
		return false
	}
	dir := ""
	for rest := path; ; {
		name, below, more := strings.Cut(rest, "/")
		if p.In(dir).Match(name, more || directory) {
			return true
		}
		if !more {
			return false
		}
		dir, rest = path[:len(path)-len(below)-1], below
	}
}

// Any reports whether there are any patterns.
func (p *Patterns) Any() bool { return len(p.list) > 0 }

// Directories reports whether a pattern applies to directories only.
func (p *Patterns) Directories() bool { return p.directories }

// Folder decides what is excluded in one directory. It is not safe for concurrent use.
type Folder struct {
	list []candidate
}

// candidate is a pattern that may match in a directory.
type candidate struct {
	*pattern
	dir string // with a slash at its end, as it is called from the pattern's base on
}

// In returns the patterns that may match something in dir, a path in the tree.
func (p *Patterns) In(dir string) *Folder {
	f := &Folder{}
	for i := len(p.list) - 1; i >= 0; i-- {
		one := &p.list[i]
		if one.bases == nil {
			f.list = append(f.list, candidate{pattern: one})
		}
		for _, base := range one.bases {
			if below, ok := from(base, dir); ok && one.reaches(below) {
				f.list = append(f.list, candidate{one, below})
			}
		}
	}
	return f
}

// from returns dir relative to base, with a slash at its end.
func from(base, dir string) (string, bool) {
	switch {
	case dir == base:
		return "", true
	case base == "":
		return dir + "/", true
	}
	below, ok := strings.CutPrefix(dir, base)
	if !ok || below[0] != '/' {
		return "", false
	}
	return below[1:] + "/", true
}

// reaches reports whether a path in dir may begin like p.
func (p *pattern) reaches(dir string) bool {
	n := min(len(dir), len(p.plain))
	return dir[:n] == p.plain[:n] && (p.shape != literal || n == len(dir))
}

// Match reports whether name is excluded.
func (f *Folder) Match(name string, directory bool) bool {
	for i := range f.list {
		if c := &f.list[i]; (directory || !c.directoryOnly) && f.matches(c, name) {
			return !c.takeBack
		}
	}
	return false
}

func (f *Folder) matches(c *candidate, name string) bool {
	if c.bases == nil {
		return c.matchesName(name)
	}
	if c.shape == literal {
		return c.plain[len(c.dir):] == name
	}
	return c.wild.match(c.dir + name)
}

func (p *pattern) matchesName(name string) bool {
	switch p.shape {
	case literal:
		return name == p.plain
	case begins:
		return strings.HasPrefix(name, p.plain)
	case ends:
		return strings.HasSuffix(name, p.tail)
	}
	return p.wild.match(name)
}

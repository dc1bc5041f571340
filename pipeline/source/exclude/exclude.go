// Package exclude decides what file sources leave out, by patterns as in a .gitignore.
package exclude

import (
	"fmt"
	"slices"
	"strings"
)

// Patterns decide what is left out. The last one that matches counts. They are safe for concurrent
// use; the zero value leaves out nothing.
type Patterns struct {
	list        []pattern
	directories bool // one of them asks whether it is a directory
}

// pattern is one line.
type pattern struct {
	takeBack      bool // begins with "!"
	directoryOnly bool // ends with "/"
	// A pattern with a slash that is not at its end is matched with paths from bases on; another
	// one, whose bases are nil, with names.
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

// Place says where in a tree patterns are at home.
type Place struct {
	// Roots are directories by what the machine or the server calls them, and their paths in the
	// tree. A pattern that begins with such a name is meant from there on.
	Roots map[string]string
	// Each: the patterns count in each of Roots, as if each had a .gitignore of its own; else in
	// the tree's top directory. One of a root's path in which something general stands for a name
	// (/srv/*/cache) is meant from the top all the same.
	Each bool
}

// Top is the place of patterns about a tree whose top directory has this name.
func Top(name string) Place { return Place{Roots: map[string]string{name: ""}} }

// Parse reads lines of a .gitignore. What can match nothing is an error, comments excepted.
func Parse(lines []string, place Place) (*Patterns, error) {
	p := new(Patterns)
	if err := p.add(lines, place, func(text string) string { return text }); err != nil {
		return nil, err
	}
	return p, nil
}

// AddAnyCase adds lines, as Parse reads them, for which a letter of ASCII is the same in upper and
// lower case.
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

// trimSpaces takes spaces off the end; a backslash keeps the one after it.
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

// parsePattern reads one line. change is made to what follows the directories that it is about.
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

// find returns the pattern as it is from the directories on that it is about.
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

// isFromTop tells whether a pattern is about a root's path and not about paths below it: it begins
// with the root's first name at least, goes on with something general, and reaches further down
// than the root.
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

// shorten finds the beginning of a pattern that is meant as it is, and whether that decides more
// quickly than its steps.
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

// Lines are patterns that mean the same in the tree's top directory, wherever these are at home:
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

// anchored is a directory's path as a pattern begins that is about what lies in it.
func anchored(dir string) string {
	if dir == "" {
		return ""
	}
	return "/" + literally.Replace(dir)
}

var literally = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

// Leaves tells whether the patterns leave out what lies at a path in the tree, or a directory that
// it lies in.
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

// Any tells whether there are any.
func (p *Patterns) Any() bool { return len(p.list) > 0 }

// Directories tells whether one of them asks if something is a directory.
func (p *Patterns) Directories() bool { return p.directories }

// Folder decides about what is in one directory. It is not for use by several goroutines at once.
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

// from is what dir is called from base on, with a slash at its end.
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

// reaches tells whether a path in dir may begin as p does.
func (p *pattern) reaches(dir string) bool {
	n := min(len(dir), len(p.plain))
	return dir[:n] == p.plain[:n] && (p.shape != literal || n == len(dir))
}

// Match tells whether name is left out.
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

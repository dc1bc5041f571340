// Package exclude decides by patterns, as in a .gitignore, what sources of files leave out.
package exclude

import (
	"fmt"
	"path"
	"strings"
)

// Patterns decide what is left out. The last one that matches counts. They are safe for concurrent use; the zero value leaves out nothing.
type Patterns struct {
	list        []pattern
	directories bool // one of them asks whether it is a directory
}

// pattern is names in a row.
type pattern struct {
	parts         []part
	takeBack      bool // starts with "!"
	directoryOnly bool // ends with "/"
	anchored      bool // starts with "/"
}

// part matches one name, or, as "**", any number of them.
type part struct {
	shape shape
	text  string
}

type shape uint8

const (
	literal  shape = iota
	anything       // *
	begins         // text*
	ends           // *text
	glob           // all else that path.Match knows
	anyDepth       // **
)

// Parse reads patterns: a name (`*.tmp`) or names in a row (`a/b`) anywhere, from the root on with a leading slash, directories only
// with a trailing one, `**` for any number of directories, `!` to take something back. One that starts with root's path is meant from
// there on.
func Parse(lines []string, root string) (*Patterns, error) {
	p := new(Patterns)
	for _, line := range lines {
		one, err := parsePattern(line, root)
		if err != nil {
			return nil, fmt.Errorf("exclude pattern %q: %w", line, err)
		}
		p.list = append(p.list, one)
		p.directories = p.directories || one.directoryOnly
	}
	return p, nil
}

func parsePattern(line, root string) (pattern, error) {
	var p pattern
	line, p.takeBack = strings.CutPrefix(line, "!")
	if root != "" && root != "/" && strings.HasPrefix(line, root+"/") {
		line = line[len(root):]
	}
	line, p.anchored = strings.CutPrefix(line, "/")
	line, p.directoryOnly = strings.CutSuffix(line, "/")
	if line == "" {
		return p, fmt.Errorf("it is empty")
	}
	for text := range strings.SplitSeq(line, "/") {
		if text == "" || text == "." || text == ".." {
			return p, fmt.Errorf("no path has %q in it", text)
		}
		if _, err := path.Match(text, ""); err != nil {
			return p, err
		}
		p.parts = append(p.parts, newPart(text))
	}
	if p.parts[len(p.parts)-1].shape == anyDepth { // what is in a directory, not the directory
		p.parts = append(p.parts, part{shape: anything})
	}
	return p, nil
}

func newPart(text string) part {
	special := strings.IndexAny(text, `*?[\`)
	switch {
	case text == "**":
		return part{shape: anyDepth}
	case text == "*":
		return part{shape: anything}
	case special < 0:
		return part{literal, text}
	case special == len(text)-1 && text[special] == '*':
		return part{begins, text[:special]}
	case text[0] == '*' && !strings.ContainsAny(text[1:], `*?[\`):
		return part{ends, text[1:]}
	}
	return part{glob, text}
}

func (p part) matches(name string) bool {
	switch p.shape {
	case literal:
		return name == p.text
	case begins:
		return strings.HasPrefix(name, p.text)
	case ends:
		return strings.HasSuffix(name, p.text)
	case glob:
		ok, _ := path.Match(p.text, name)
		return ok
	}
	return true
}

// Any tells whether there are any.
func (p *Patterns) Any() bool { return len(p.list) > 0 }

// Directories tells whether one of them asks if something is a directory.
func (p *Patterns) Directories() bool { return p.directories }

// Match tells whether name in dir, a path below the root, is left out.
func (p *Patterns) Match(dir, name string, directory bool) bool {
	for i := len(p.list) - 1; i >= 0; i-- {
		one := &p.list[i]
		if one.directoryOnly && !directory {
			continue
		}
		if one.matches(dir, name) {
			return !one.takeBack
		}
	}
	return false
}

func (p *pattern) matches(dir, name string) bool {
	last := p.parts[len(p.parts)-1]
	if !last.matches(name) {
		return false
	}
	if len(p.parts) == 1 {
		return !p.anchored || dir == ""
	}
	var names []string
	if dir != "" {
		names = strings.Split(dir, "/")
	}
	return matchRow(p.parts[:len(p.parts)-1], names, !p.anchored)
}

// matchRow tells whether parts match names to the end: all of them, or, floating, the last ones.
func matchRow(parts []part, names []string, floating bool) bool {
	i, j := 0, 0
	again, from := -1, 0 // after the last "**": where to go on, and with which name
	if floating {
		again = 0
	}
	for j < len(names) || i < len(parts) {
		switch {
		case i < len(parts) && parts[i].shape == anyDepth:
			i++
			again, from = i, j
		case i < len(parts) && j < len(names) && parts[i].matches(names[j]):
			i++
			j++
		case again >= 0 && from < len(names):
			from++
			i, j = again, from
		default:
			return false
		}
	}
	return true
}

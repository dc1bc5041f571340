package target

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
)

// SetIDs are the bits of a mode that lend the rights of a file's owner and group to whoever runs it.
// They are restored only of what has both.
const SetIDs = 0o6000

// Chmod is a list of changes to modes. The zero value changes nothing.
type Chmod struct{ changes []change }

// Named reports whether there are any changes.
func (m Chmod) Named() bool { return len(m.changes) > 0 }

type change struct {
	directories, files bool
	who                uint32 // of 0o7777, the bits that the change is about
	op                 byte   // '+', '-' or '='
	bits               uint32 // for all classes; who chooses
	executable         bool   // X: x for directories and where somebody has it already
}

// ParseChmod parses changes in the syntax of chmod and rsync: `u=rwX,go=rX`, `640`, and with a
// leading D or F a change for directories or for everything else: `D755,F644`.
func ParseChmod(s string) (Chmod, error) {
	var m Chmod
	for text := range strings.SplitSeq(s, ",") {
		c, err := parseChange(text)
		if err != nil {
			return Chmod{}, fmt.Errorf("mode %q: %w", s, err)
		}
		m.changes = append(m.changes, c)
	}
	return m, nil
}

func parseChange(text string) (change, error) {
	c := change{directories: true, files: true}
	if rest, ok := strings.CutPrefix(text, "D"); ok {
		text, c.files = rest, false
	} else if rest, ok := strings.CutPrefix(text, "F"); ok {
		text, c.directories = rest, false
	}
	if bits, err := strconv.ParseUint(text, 8, 12); err == nil {
		c.who, c.op, c.bits = 0o7777, '=', uint32(bits)
		return c, nil
	}
	return c, c.parseSymbols(text)
}

var classes = map[byte]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}

var letters = map[byte]uint32{'r': 0o444, 'w': 0o222, 'x': 0o111, 's': 0o6000, 't': 0o1000}

func (c *change) parseSymbols(text string) error {
	i := 0
	for ; i < len(text) && classes[text[i]] != 0; i++ {
		c.who |= classes[text[i]]
	}
	if i == 0 {
		c.who = 0o7777
	}
	if i == len(text) || strings.IndexByte("+-=", text[i]) < 0 {
		return fmt.Errorf("%q is not a change of a mode", text)
	}
	c.op = text[i]
	for _, letter := range []byte(text[i+1:]) {
		switch {
		case letter == 'X':
			c.executable = true
		case letters[letter] != 0:
			c.bits |= letters[letter]
		default:
			return fmt.Errorf("%q in %q is not a permission", letter, text)
		}
	}
	return nil
}

// Of returns the changed mode of an entry.
func (m Chmod) Of(e *entry.Entry) uint32 { return m.Apply(e.Mode, e.Type == entry.Directory) }

// Apply returns the changed mode.
func (m Chmod) Apply(mode uint32, directory bool) uint32 {
	for _, c := range m.changes {
		if directory && !c.directories || !directory && !c.files {
			continue
		}
		bits := c.bits
		if c.executable && (directory || mode&0o111 != 0) {
			bits |= 0o111
		}
		bits &= c.who
		switch c.op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		default:
			mode = mode&^c.who | bits
		}
	}
	return mode & 0o7777
}

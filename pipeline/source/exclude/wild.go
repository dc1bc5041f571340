package exclude

import (
	"errors"
	"fmt"
	"strings"
)

// wild is a compiled pattern of a .gitignore: steps, each of which matches some bytes of a path. It
// works on bytes, not characters.
type wild []step

// step is a part of a pattern.
type step struct {
	kind kind
	byte byte
	set  *set
}

type kind uint8

const (
	oneByte  kind = iota // this byte
	oneOf                // a byte of a set; never a slash
	names                // "*": any bytes but slashes
	anything             // "**" at the end: any bytes
	folders              // "**/": nothing, or any bytes up to and with a slash
)

// set is the bytes of a class.
type set [4]uint64

func (s *set) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *set) has(b byte) bool { return s[b>>6]>>(b&63)&1 != 0 }

func (s *set) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

var (
	errEscape = errors.New("nothing follows its last backslash")
	errClass  = errors.New("its class has no end: for a bracket itself, write \\[")
)

// compile compiles a pattern. In a whole pattern, which is matched with paths, "**" stands for
// directories if it is enclosed by slashes or the ends; elsewhere two asterisks are like one.
func compile(text string, whole bool) (wild, error) {
	var w wild
	// Git compares everything before the first special byte literally, so that "**" right after it
	// counts as enclosed.
	plain := strings.IndexAny(text, `*?[\`)
	for i := 0; i < len(text); {
		var n int
		var err error
		switch text[i] {
		case '*':
			n = w.addAsterisks(text[i:], whole && (i == plain || text[i-1] == '/'))
		case '?':
			var any set
			any.invert()
			n = w.addSet(&any, 1)
		case '[':
			var class set
			if n, err = parseClass(text[i:], &class); err == nil {
				w.addSet(&class, n)
			}
		case '\\':
			if i+1 == len(text) {
				return nil, errEscape
			}
			w, n = append(w, step{byte: text[i+1]}), 2
		default:
			w, n = append(w, step{byte: text[i]}), 1
		}
		if err != nil {
			return nil, err
		}
		i += n
	}
	return w, nil
}

// checkNames refuses what no path can contain.
func (w wild) checkNames() error {
	name, special := "", false
	for i := range len(w) + 1 {
		switch {
		case i < len(w) && w[i].kind == folders:
			name, special = "", false
		case i < len(w) && w[i].kind != oneByte:
			special = true
		case i < len(w) && w[i].byte != '/':
			name += string([]byte{w[i].byte})
		case special:
			name, special = "", false
		case len(w) == 0:
			return errors.New("it names nothing")
		case name == "" || name == "." || name == "..":
			return fmt.Errorf("no path has %q in it", name)
		default:
			name = ""
		}
	}
	return nil
}

// addAsterisks adds the asterisks at the beginning of text. open says that what precedes them
// allows them to stand for directories.
func (w *wild) addAsterisks(text string, open bool) int {
	rest := strings.TrimLeft(text, "*")
	n := len(text) - len(rest)
	if n == 1 {
		open = false
	}
	switch {
	case open && strings.HasPrefix(rest, "/"):
		*w = append(*w, step{kind: folders})
		n++
	case open && (rest == "" || strings.HasPrefix(rest, `\/`)):
		*w = append(*w, step{kind: anything})
	default:
		*w = append(*w, step{kind: names})
	}
	return n
}

func (w *wild) addSet(s *set, n int) int {
	s['/'>>6] &^= 1 << ('/' & 63)
	*w = append(*w, step{kind: oneOf, set: s})
	return n
}

// parseClass parses the class at the beginning of text, and returns its length.
func parseClass(text string, class *set) (int, error) {
	i := 1
	inverted := i < len(text) && (text[i] == '!' || text[i] == '^')
	if inverted {
		i++
	}
	for first, before := true, byte(0); ; first = false { // before: what a range may begin with
		if i >= len(text) {
			return 0, errClass
		}
		if text[i] == ']' && !first {
			break
		}
		n, last, err := class.parse(text[i:], before)
		if err != nil {
			return 0, err
		}
		i, before = i+n, last
	}
	if inverted {
		class.invert()
	}
	return i + 1, nil
}

// parse parses one byte, range or named class, and returns its length and the byte with which a
// range may begin.
func (s *set) parse(text string, before byte) (n int, last byte, err error) {
	if name, ok := className(text); ok {
		return len(name) + len("[::]"), 0, s.addNamed(name)
	}
	if text[0] == '-' && before != 0 && len(text) > 1 && text[1] != ']' {
		n, to, err := unescape(text[1:])
		for b := int(before); b <= int(to); b++ {
			s.add(byte(b))
		}
		return n + 1, 0, err
	}
	n, last, err = unescape(text)
	s.add(last)
	return n, last, err
}

// unescape reads one byte of a class.
func unescape(text string) (n int, b byte, err error) {
	if text[0] != '\\' {
		return 1, text[0], nil
	}
	if len(text) == 1 {
		return 0, 0, errClass
	}
	return 2, text[1], nil
}

// className returns the name in "[:name:]" at the beginning of text.
func className(text string) (string, bool) {
	if !strings.HasPrefix(text, "[:") {
		return "", false
	}
	inside, _, ok := strings.Cut(text[2:], "]")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inside, ":")
}

// classes are the named classes, for ASCII.
var classes = map[string]func(b byte) bool{
	"alnum":  func(b byte) bool { return isDigit(b) || isLower(b) || isUpper(b) },
	"alpha":  func(b byte) bool { return isLower(b) || isUpper(b) },
	"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
	"cntrl":  func(b byte) bool { return b < ' ' || b == 0x7f },
	"digit":  isDigit,
	"graph":  func(b byte) bool { return b > ' ' && b < 0x7f },
	"lower":  isLower,
	"print":  func(b byte) bool { return b >= ' ' && b < 0x7f },
	"punct":  func(b byte) bool { return b > ' ' && b < 0x7f && !isDigit(b) && !isLower(b) && !isUpper(b) },
	"space":  func(b byte) bool { return strings.IndexByte(" \t\n\r", b) >= 0 },
	"upper":  isUpper,
	"xdigit": func(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' },
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isLower(b byte) bool { return b >= 'a' && b <= 'z' }
func isUpper(b byte) bool { return b >= 'A' && b <= 'Z' }

func (s *set) addNamed(name string) error {
	is := classes[name]
	if is == nil {
		return fmt.Errorf("there is no class [:%s:]", name)
	}
	for b := range 256 {
		if is(byte(b)) {
			s.add(byte(b))
		}
	}
	return nil
}

// mark is where to continue after a mismatch: a step, and an offset in the path.
type mark struct{ step, at int }

// match reports whether w matches all of path. It tries the shortest match of an asterisk first.
// After a mismatch it lengthens the last asterisk, and if a slash prevents that, the last one that
// may match slashes.
func (w wild) match(path string) bool {
	name, far := mark{step: -1}, mark{step: -1}
	for i, at := 0, 0; i < len(w) || at < len(path); {
		if i < len(w) {
			switch s := &w[i]; s.kind {
			case names:
				name = mark{i, at}
				i++
				continue
			case anything, folders:
				name, far = mark{step: -1}, mark{i, at}
				i++
				continue
			default:
				if at < len(path) && s.takes(path[at]) {
					i, at = i+1, at+1
					continue
				}
			}
		}
		switch {
		case name.step >= 0 && name.at < len(path) && path[name.at] != '/':
			name.at++
			i, at = name.step+1, name.at
		case far.step >= 0 && w[far.step].lengthen(&far, path):
			name.step = -1
			i, at = far.step+1, far.at
		default:
			return false
		}
	}
	return true
}

func (s *step) takes(b byte) bool {
	if s.kind == oneOf {
		return s.set.has(b)
	}
	return s.byte == b
}

// lengthen extends the match of a step that may match slashes; false if it cannot.
func (s *step) lengthen(m *mark, path string) bool {
	if m.at >= len(path) {
		return false
	}
	if s.kind == anything {
		m.at++
		return true
	}
	slash := strings.IndexByte(path[m.at:], '/')
	m.at += slash + 1
	return slash >= 0
}

// Package glob matches names with the patterns of path.Match, extended by the shells' classes such
// as [[:upper:]] and [!abc].
package glob

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Compile translates a pattern into one for path.Match. Its error says what is wrong with the
// pattern.
func Compile(pattern string) (string, error) { return compile(pattern, false) }

// AnyCase is Compile for a pattern that ignores case, in any alphabet.
func AnyCase(pattern string) (string, error) { return compile(pattern, true) }

// errClass: a bracket is never closed.
var errClass = errors.New(`a class has no end: for a bracket itself, write \[`)

func compile(pattern string, anyCase bool) (string, error) {
	if pattern == "" {
		return "", errors.New("it is empty, and no name is")
	}
	c := compiler{anyCase: anyCase}
	for rest := pattern; rest != ""; {
		n, err := c.next(rest)
		if err != nil {
			return "", err
		}
		rest = rest[n:]
	}
	if _, err := path.Match(c.out.String(), ""); err != nil {
		return "", fmt.Errorf("%q: %w", pattern, err)
	}
	return c.out.String(), nil
}

type compiler struct {
	out     strings.Builder
	anyCase bool
}

// next translates the first element of rest and returns its length.
func (c *compiler) next(rest string) (int, error) {
	switch rest[0] {
	case '[':
		return c.class(rest)
	case '\\':
		if len(rest) == 1 {
			return 0, errors.New("nothing follows its last backslash")
		}
		_, n := utf8.DecodeRuneInString(rest[1:])
		return 1 + n, c.literal(rest[:1+n])
	}
	_, n := utf8.DecodeRuneInString(rest)
	return n, c.literal(rest[:n])
}

// literal writes one character, which may have a backslash before it.
func (c *compiler) literal(text string) error {
	r, _ := utf8.DecodeLastRuneInString(text)
	if other := otherCase(r); c.anyCase && other != r {
		fmt.Fprintf(&c.out, "[%c%c]", r, other)
		return nil
	}
	c.out.WriteString(text)
	return nil
}

func otherCase(r rune) rune {
	if unicode.IsUpper(r) {
		return unicode.ToLower(r)
	}
	return unicode.ToUpper(r)
}

// class translates the class with which rest begins.
func (c *compiler) class(rest string) (int, error) {
	c.out.WriteByte('[')
	i := 1
	if i < len(rest) && (rest[i] == '!' || rest[i] == '^') {
		c.out.WriteByte('^')
		i++
	}
	for first := true; ; first = false {
		switch {
		case i >= len(rest):
			return 0, errClass
		case rest[i] == ']' && !first:
			c.out.WriteByte(']')
			return i + 1, nil
		}
		n, err := c.member(rest[i:])
		if err != nil {
			return 0, err
		}
		i += n
	}
}

// member translates the next member of a class: a named class, a range or one character.
func (c *compiler) member(rest string) (int, error) {
	if inside, ok := strings.CutPrefix(rest, "[:"); ok {
		if name, _, ok := strings.Cut(inside, ":]"); ok {
			return len(name) + 4, c.named(name)
		}
	}
	from, n, err := character(rest)
	if err != nil {
		return 0, err
	}
	to := from
	if after, ok := strings.CutPrefix(rest[n:], "-"); ok && after != "" && after[0] != ']' {
		var m int
		if to, m, err = character(after); err != nil {
			return 0, err
		}
		n += 1 + m
	}
	c.span(from, to)
	return n, nil
}

// character reads one character of a class, which may have a backslash before it.
func character(rest string) (rune, int, error) {
	escape := 0
	if rest[0] == '\\' {
		escape = 1
	}
	r, n := utf8.DecodeRuneInString(rest[escape:])
	if n == 0 {
		return 0, 0, errClass
	}
	return r, escape + n, nil
}

// span writes a range of characters, and the same range in the other case.
func (c *compiler) span(from, to rune) {
	write := func(from, to rune) {
		fmt.Fprintf(&c.out, `\%c`, from)
		if to != from {
			fmt.Fprintf(&c.out, `-\%c`, to)
		}
	}
	write(from, to)
	if lower, upper := otherCase(from), otherCase(to); c.anyCase && lower != from && upper != to && lower <= upper {
		write(lower, upper)
	}
}

// classes are the POSIX classes, for ASCII, as pairs of first and last characters.
var classes = map[string]string{
	"alnum": "azAZ09", "alpha": "azAZ", "blank": "  \t\t", "cntrl": "\x00\x1f\x7f\x7f", "digit": "09", "graph": "!~", "lower": "az", "print": " ~",
	"punct": "!/:@[`{~", "space": "  \t\r", "upper": "AZ", "xdigit": "09afAF",
}

func (c *compiler) named(name string) error {
	pairs, ok := classes[name]
	if !ok {
		return fmt.Errorf("there is no class [:%s:]", name)
	}
	for i := 0; i < len(pairs); i += 2 {
		c.span(rune(pairs[i]), rune(pairs[i+1]))
	}
	return nil
}

package output

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Name is a text from outside: a path, a host, a tag. It is printed as it is where every character is printable;
// else, or where it begins with a quote, as a Go string literal, in which \x1b stands for the byte 27. JSON holds the same.
type Name string

// String is the name as it is printed.
func (n Name) String() string {
	if plain(string(n)) {
		return string(n)
	}
	return strconv.Quote(string(n))
}

// MarshalJSON writes the printed form.
func (n Name) MarshalJSON() ([]byte, error) { return json.Marshal(n.String()) }

// Names makes a list of texts printable.
func Names[S ~string](texts []S) []Name {
	names := make([]Name, len(texts))
	for i, text := range texts {
		names[i] = Name(text)
	}
	return names
}

func plain(s string) bool {
	if strings.HasPrefix(s, `"`) {
		return false
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// clean makes an error's text safe to print. It may hold names, and lines of its own.
func clean(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = cleanLine(line)
	}
	return strings.Join(lines, "\n")
}

func cleanLine(line string) string {
	var b strings.Builder
	for i, r := range line {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(line[i:], "\uFFFD"):
			b.WriteString(`\x` + strconv.FormatUint(uint64(line[i])|0x100, 16)[1:])
		case r == '\t' || strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/packstone/packstone/catalog/entry"
)

// Name is an untrusted text, such as a path, a host or a tag. It prints unchanged if every
// character is printable; otherwise, or if it begins with a quote, as a Go string literal, in which
// \x1b stands for the byte 27. JSON contains the printed form.
type Name string

// String returns the printed form.
func (n Name) String() string { return entry.Printable(string(n)) }

// MarshalJSON writes the printed form.
func (n Name) MarshalJSON() ([]byte, error) { return json.Marshal(n.String()) }

// Names converts texts to Names.
func Names[S ~string](texts []S) []Name {
	names := make([]Name, len(texts))
	for i, text := range texts {
		names[i] = Name(text)
	}
	return names
}

// clean makes a text safe to print. The text may contain names, and line breaks of its own.
func clean(text string) string {
	if !strings.Contains(text, "\n") {
		return cleanLine(text)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = cleanLine(line)
	}
	return strings.Join(lines, "\n")
}

// continued is clean for a text that usually has one line. It indents further lines, so that a name
// cannot imitate a message.
func continued(text string) string { return strings.ReplaceAll(clean(text), "\n", "\n  ") }

// cleanArgs makes texts and errors among the arguments of a format safe to print, including their
// line breaks.
func cleanArgs(args []any) []any {
	safe := slices.Clone(args)
	for i, arg := range safe {
		switch v := arg.(type) {
		case string:
			safe[i] = cleanLine(v)
		case error:
			safe[i] = cleanLine(v.Error())
		}
	}
	return safe
}

// CleanJSON escapes what encoding/json does not: control characters above 127, and characters that
// change the direction of text.
func CleanJSON(text []byte) []byte {
	if isASCII(text) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if r < 0x7f || strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

func isASCII(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c >= 0x7f })
}

// cleanLine escapes every character that is not printable, including line breaks.
func cleanLine(line string) string {
	if entry.IsPrintable(line) {
		return line
	}
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

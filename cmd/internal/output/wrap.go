package output

import "strings"

// wrap splits a text between words into lines of at most width columns. A longer word gets a line
// of its own.
func wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case columns(*last)+1+columns(word) > width:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	return lines
}

// fold wraps those lines of a text that are wider than a terminal; width 0 means none. Lines that
// are indented, laid out in columns, or statements stay unchanged.
func fold(text string, width int) string {
	if width <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		verbatim := strings.HasPrefix(line, " ") || strings.Contains(line, "  ") || strings.HasSuffix(line, ";")
		if columns(line) > width && !verbatim {
			lines[i] = strings.Join(wrap(line, width), "\n")
		}
	}
	return strings.Join(lines, "\n")
}

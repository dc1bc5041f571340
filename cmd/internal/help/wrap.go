package help

import "strings"

// unbroken joins words with commas, so that wrap does not part a flag from its value.
func unbroken(words []string) string {
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, " ", noBreak)
	}
	return strings.Join(words, ", ")
}

// noBreak stands for a space where wrap may not break a line. It takes one byte, as a space does.
const noBreak = "\x00"

// Paragraphs wraps each paragraph of a text, and leaves lines that are indented as they are.
func Paragraphs(text string, width int) string {
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, wrap(strings.Join(paragraph, " "), "", width))
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			end()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	end()
	return strings.Join(out, "\n")
}

// wrap breaks a text between words into lines of at most width columns; all but the first begin
// with indent. noBreak holds words together.
func wrap(text, indent string, width int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.ReplaceAll(strings.Join(append(lines, line), "\n"+indent), noBreak, " ")
}

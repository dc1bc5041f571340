package output

import "bytes"

// The priorities of lines, with the numbers of syslog(3).
const (
	failure = '3'
	warning = '4'
	info    = '6'
)

// withPriority puts a priority before each line, in the form of sd-daemon(3).
func withPriority(priority byte, text []byte) (marked []byte) {
	for line := range bytes.Lines(text) {
		marked = append(append(marked, '<', priority, '>'), line...)
	}
	return marked
}

// CutPriority splits a line that Options.Priorities has marked; mark is empty if there is none.
func CutPriority(line []byte) (mark, rest []byte) {
	if len(line) >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>' {
		return line[:3], line[3:]
	}
	return nil, line
}

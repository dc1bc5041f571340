package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Lines are the lines of a text that say something, without their ends.
func Lines(text []byte) (lines []string) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Globbed are the paths that match the patterns of a text, one a line. Empty lines, and those that
// begin with #, say nothing. A pattern that nothing matches is an error.
func Globbed(text []byte) (paths []string, err error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found, err := filepath.Glob(line)
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", line, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("nothing matches %s", line)
		}
		paths = append(paths, found...)
	}
	return paths, lines.Err()
}

// Verbatim are the paths of a text, one a line, as they stand there.
func Verbatim(text []byte) (paths []string, err error) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			paths = append(paths, line)
		}
	}
	return paths, nil
}

// Raw are the paths of a text, each of which ends with NUL. A last one that does not is an error.
func Raw(text []byte) ([]string, error) {
	list, whole := strings.CutSuffix(string(text), "\x00")
	switch {
	case list == "":
		return nil, nil
	case !whole:
		return nil, errors.New("the last path does not end with NUL: is the list whole?")
	}
	return strings.Split(list, "\x00"), nil
}

package entry

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable is a name from outside as it is printed: as it is where every character is printable;
// else, or where it begins with a quote, as a Go string literal, in which \x1b stands for the byte
// 27.
func Printable(name string) string {
	if !strings.HasPrefix(name, `"`) && IsPrintable(name) {
		return name
	}
	return strconv.Quote(name)
}

// IsPrintable tells whether a text can be printed as it is: it is UTF-8, of printable characters
// alone.
func IsPrintable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

package entry

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable returns an untrusted name in printable form: unchanged if every character is printable;
// otherwise, or if it begins with a quote, as a Go string literal, in which \x1b stands for the
// byte 27.
func Printable(name string) string {
	if !strings.HasPrefix(name, `"`) && IsPrintable(name) {
		return name
	}
	return strconv.Quote(name)
}

// IsPrintable reports whether a text can be printed as it is: it is valid UTF-8 with printable
// characters only.
func IsPrintable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

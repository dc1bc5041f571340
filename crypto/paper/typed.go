package paper

import (
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// UTF8 returns the text of a file, which may be UTF-16 if it begins with the mark of a byte order.
func UTF8(file []byte) string {
	text := string(file)
	var order binary.ByteOrder = binary.BigEndian
	switch {
	case strings.HasPrefix(text, "\xff\xfe"):
		order = binary.LittleEndian
	case !strings.HasPrefix(text, "\xfe\xff"):
		return strings.TrimPrefix(text, "\ufeff")
	}
	units := make([]uint16, len(text)/2-1)
	for i := range units {
		units[i] = order.Uint16(file[2*i+2:])
	}
	return string(utf16.Decode(units))
}

// plain returns a text as people, mail programs and editors hand it over in capitals, with plain
// line breaks, without marks of quotations, and with the form on a keyboard of wide digits and
// letters, spaces and hyphens.
func plain(typed string) string {
	return strings.ToUpper(quotation.ReplaceAllString(strings.Map(onKeyboard, typed), ""))
}

// quotation is what mail programs put before each line that they quote.
var quotation = regexp.MustCompile(`(?m)^[ \t]*(?:[>|][ \t]*)+`)

// onKeyboard returns the form of a character that is on a keyboard, or -1 if it shows nothing.
func onKeyboard(c rune) rune {
	const wide, wideEnd, wideShift = '！', '～', '！' - '!'
	switch {
	case strings.ContainsRune("\r\u0085\u2028\u2029", c):
		return '\n'
	case c == '\n' || c == '\t':
		return c
	case unicode.IsSpace(c):
		return ' '
	case unicode.In(c, unicode.Cf, unicode.Cc, unicode.Variation_Selector):
		return -1
	case unicode.Is(unicode.Pd, c) || c == '−':
		return '-'
	case c >= wide && c <= wideEnd:
		return c - wideShift
	}
	return c
}

package output

import (
	"unicode"
	"unicode/utf8"
)

// wide are the characters that take two columns of a terminal: East Asian ones, and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0x33ff, 1}, {0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1}, {0xa000, 0xa4cf, 1},
		{0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1f9ff, 1}, {0x20000, 0x3fffd, 1}},
}

// columnsOf returns how many columns a character takes.
func columnsOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// columns returns how many columns a text takes.
func columns(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

// prefix returns as much of the beginning of a text as fits into most columns.
func prefix(text string, most int) string {
	for i, r := range text {
		if most -= columnsOf(r); most < 0 {
			return text[:i]
		}
	}
	return text
}

// suffix returns as much of the end of a text as fits into most columns.
func suffix(text string, most int) string {
	for i := len(text); i > 0; {
		r, n := utf8.DecodeLastRuneInString(text[:i])
		if most -= columnsOf(r); most < 0 {
			return text[i:]
		}
		i -= n
	}
	return text
}

// cut shortens a line to most columns. dots stand for what is missing.
func cut(line string, most int, dots string) string {
	if columns(line) <= most {
		return line
	}
	return prefix(line, max(most-columns(dots), 0)) + prefix(dots, most)
}

// cutMiddle shortens a path to most columns by cutting its middle, since both ends say most.
func cutMiddle(path string, most int, dots string) string {
	if columns(path) <= most {
		return path
	}
	room := max(most-columns(dots), 0)
	return prefix(path, room/2) + prefix(dots, most) + suffix(path, room-room/2)
}

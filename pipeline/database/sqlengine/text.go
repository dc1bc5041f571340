package sqlengine

import (
	"strings"
	"unicode/utf16"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// Units counts the units of UTF-16 in a text, which is what columns of national
// characters are measured in.
func Units(text string) int {
	n := 0
	for _, r := range text {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// TextLength says how long the text is that values of a type other than Text
// become, in units (0: unbounded), and what of the type is lost.
func TextLength(t database.Type) (length int64, lost string) {
	switch t.Kind {
	case database.Decimal:
		return 0, "a number without bounds becomes text"
	case database.JSON:
		return 0, "JSON becomes text"
	case database.UUID:
		return 36, "a UUID becomes text"
	case database.Enum:
		return longest(t.Values), "an enumeration becomes text with a check"
	case database.Set:
		return int64(Units(strings.Join(t.Values, ","))), "a set becomes text, its labels joined by commas"
	case database.Bits:
		return t.Length, "bits become text"
	case database.Time, database.TimeTZ, database.Interval:
		return 64, "the type " + string(t.Kind) + " becomes text"
	}
	return 0, "the type " + t.Native + " becomes text"
}

func longest(values []string) int64 {
	n := 1
	for _, v := range values {
		n = max(n, Units(v))
	}
	return int64(n)
}

// Comparable types mean the same in comparisons on both sides.
func Comparable(from database.Type, _ ddl.Mapped) bool {
	switch from.Kind {
	case database.Bool, database.JSON, database.Bytes, database.Interval, database.Bits, database.Array, database.Other, database.Geometry:
		return false
	}
	return true
}

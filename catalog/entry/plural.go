package entry

import (
	"strconv"
	"strings"
)

// Plural formats a number with a noun: 1 file, 12,345 entries. It supports nouns whose plural ends
// in s, or in ries for ry.
func Plural[N ~int | ~int64 | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "ry"); ok {
		noun = stem + "rie"
	}
	return Count(int64(n)) + " " + noun + "s"
}

// Count formats a number with commas between thousands: 12,345,678.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

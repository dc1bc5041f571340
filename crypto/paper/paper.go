// Package paper writes bytes as text that survives paper: people type it in, phones read it from a
// QR code.
//
// The text is a mark, numbered rows of eight groups of four characters and a check group each, and
// an end mark:
//
//	PACKSTONE SHEET
//	01: 1C0N 4T8P … 93QM
//	02: …
//	/END
//
// The alphabet is Crockford's base 32, which has no I, L, O and U. A reader does not care about
// case, spaces, line breaks and the marks of quotations in mails, takes wide characters for plain
// ones, O for 0, and I and L for 1. Each row has a checksum, so that a reader can say which row has
// a typo, and mostly in which group. A checksum over all guards against rows of two sheets. The text
// contains only what QR codes store compactly.
package paper

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

const (
	begin = "PACKSTONE SHEET"
	end   = "/END"

	alphabet  = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	rowBytes  = 20 // 32 characters
	group     = 4
	checkSize = 4 // characters a row
	sumSize   = 4 // bytes over all

	// Largest is the most bytes that fit: 99 rows, less their number and the checksum over all.
	Largest = 99*rowBytes - 1 - sumSize
)

var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// Rows returns the lines of the text that Decode reads. It fails if there are more than Largest
// bytes.
func Rows(data []byte) ([]string, error) {
	if len(data) > Largest {
		return nil, fmt.Errorf("write %d bytes on paper: at most %d fit", len(data), Largest)
	}
	all := make([]byte, 1, 1+len(data)+sumSize)
	all = append(all, data...)
	rows := (len(all) + sumSize + rowBytes - 1) / rowBytes
	all[0] = byte(rows)
	sum := sha256.Sum256(all)
	all = append(all, sum[:sumSize]...)
	lines := []string{begin}
	for n := 1; n <= rows; n++ {
		part := all[(n-1)*rowBytes : min(n*rowBytes, len(all))]
		text := encoding.EncodeToString(part)
		lines = append(lines, fmt.Sprintf("%02d: %s", n, grouped(text+check(n, text))))
	}
	return append(lines, end), nil
}

// check returns the check group of a row's other characters.
func check(row int, text string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "packstone paper 1\n%d\n%s", row, text))
	return encoding.EncodeToString(sum[:])[:checkSize]
}

// grouped separates groups by spaces.
func grouped(text string) string {
	var b strings.Builder
	for i, c := range []byte(text) {
		if i > 0 && i%group == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(c)
	}
	return b.String()
}

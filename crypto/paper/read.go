package paper

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNone says that a text has no rows at all.
var ErrNone = errors.New("it has no numbered rows such as 01: ABCD …; type them as they are printed, or paste what the phone has read from the QR code")

// Typos says what is wrong with each row. Its text has a line for each.
type Typos []string

// Error implements error, with a line for each typo.
func (t Typos) Error() string { return strings.Join(t, "\n") }

// largestText is the most bytes of a text that Decode reads.
const largestText = 1 << 20

// row is what a text has between one number and the next one.
type row struct {
	number int
	text   string // in the alphabet, if bad is 0
	bad    int    // the group with a character that is not in the alphabet, from 1; 0: none
}

// Texts returns the parts of a text that have rows, each for Decode: one for each mark, or the whole
// text if there is no mark. It returns at least one.
func Texts(text string) []string {
	var texts []string
	for _, part := range strings.Split(plain(text), begin)[1:] {
		if label.MatchString(ended(part)) {
			texts = append(texts, begin+part)
		}
	}
	if len(texts) == 0 {
		return []string{text}
	}
	return texts
}

// Decode reads a text with the rows that Rows has made. What precedes the last mark and what follows
// the end is skipped; without marks the whole text is rows. It fails with Typos if rows are wrong,
// missing or of two sheets, and with ErrNone if there are none.
func Decode(text string) ([]byte, error) {
	if len(text) > largestText {
		return nil, fmt.Errorf("the text has more than %d bytes", largestText)
	}
	rows, typos := split(between(plain(text)))
	if len(rows) == 0 && len(typos) == 0 {
		return nil, ErrNone
	}
	parts := map[int][]byte{}
	for _, r := range rows {
		part, fault := r.decode()
		if fault != "" {
			typos = append(typos, fmt.Sprintf("row %d: %s", r.number, fault))
		}
		parts[r.number] = part // nil if it is wrong: not missing, at least
	}
	typos = append(typos, missing(parts)...)
	if len(typos) > 0 {
		return nil, typos
	}
	return join(parts)
}

// between returns the part of a plain text that lies between the marks.
func between(text string) string {
	if at := strings.LastIndex(text, begin); at >= 0 {
		text = text[at+len(begin):]
	}
	return ended(text)
}

// ended returns the part of a text before the end mark.
func ended(text string) string {
	text, _, _ = strings.Cut(text, "/")
	return text
}

// label is the number before a row, which is its only group. Two characters of which one is a digit
// need nothing before them, since all numbers have two; one alone needs a space, and two letters
// must not end a word.
var label = regexp.MustCompile(`(\d[\dOIL]|[OIL]\d|\b[OIL]{2}|\b[\dOIL]) ?:`)

// digits puts right what is easily confused with digits.
var digits = strings.NewReplacer("O", "0", "I", "1", "L", "1")

// split returns the rows of a text in the order of their numbers, each once.
func split(text string) (rows []row, typos Typos) {
	found := label.FindAllStringSubmatchIndex(text, -1)
	for i, at := range found {
		next := len(text)
		if i+1 < len(found) {
			next = found[i+1][0]
		}
		number, _ := strconv.Atoi(digits.Replace(text[at[2]:at[3]]))
		r := clean(number, text[at[1]:next])
		known := slices.IndexFunc(rows, func(other row) bool { return other.number == number })
		switch {
		case number == 0:
			typos = append(typos, "there is a row 0: rows are numbered from 01")
		case known < 0:
			rows = append(rows, r)
		case rows[known] != r:
			typos = append(typos, fmt.Sprintf("row %d is there twice, and not the same", number))
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return a.number - b.number })
	return rows, typos
}

// clean takes out spaces and hyphens, and puts right what is easily confused.
func clean(number int, text string) row {
	r := row{number: number}
	var b strings.Builder
	for _, c := range digits.Replace(text) {
		switch {
		case strings.ContainsRune(" \t\n-", c):
			continue
		case !strings.ContainsRune(alphabet, c) && r.bad == 0:
			r.bad = b.Len()/group + 1
		}
		if c > 127 {
			c = '?'
		}
		b.WriteRune(c)
	}
	r.text = b.String()
	return r
}

// decode returns the bytes of a row, or what is wrong with it.
func (r row) decode() (part []byte, fault string) {
	const full = rowBytes * 8 / 5
	size := len(r.text) - checkSize
	switch {
	case r.bad > 0:
		return nil, fmt.Sprintf("group %d has a character that is on no sheet; compare it with the paper", r.bad)
	case size > 0 && r.right():
		if part, err := encoding.DecodeString(r.text[:size]); err == nil && encoding.EncodeToString(part) == r.text[:size] {
			return part, ""
		}
		return nil, "it is right, but not of a sheet"
	case size <= 0:
		return nil, "it is too short"
	case size > full+1:
		return nil, fmt.Sprintf("it has %d characters too many", size-full)
	}
	return nil, "it has a typo" + r.where()
}

// right reports whether the check group is that of the other characters.
func (r row) right() bool {
	size := len(r.text) - checkSize
	return check(r.number, r.text[:size]) == r.text[size:]
}

// where names the group in which a change of one character, or an exchange of two neighbours, puts
// the row right, if there is one such group.
func (r row) where() string {
	groups := map[int]bool{}
	var what string
	try := func(at int, text, how string) {
		if len(text) > checkSize && (row{number: r.number, text: text}).right() {
			groups[at/group+1], what = true, how
		}
	}
	for i := range len(r.text) + 1 {
		for _, c := range []byte(alphabet) {
			if i < len(r.text) {
				try(i, r.text[:i]+string(c)+r.text[i+1:], "one character is wrong")
			}
			try(i, r.text[:i]+string(c)+r.text[i:], "one character is missing")
		}
		if i < len(r.text) {
			try(i, r.text[:i]+r.text[i+1:], "there is one character too many")
		}
		if i+1 < len(r.text) {
			try(i, r.text[:i]+r.text[i+1:i+2]+r.text[i:i+1]+r.text[i+2:], "two characters are exchanged")
		}
	}
	if len(groups) != 1 {
		return "; compare all its groups with the paper"
	}
	for at := range groups {
		what = fmt.Sprintf(", most likely in group %d: %s", at, what)
	}
	return what
}

// missing names the rows that are not there. How many there are stands in the first one.
func missing(parts map[int][]byte) (typos Typos) {
	last := 1
	for n := range parts {
		last = max(last, n)
	}
	if first := parts[1]; len(first) > 0 {
		if last > int(first[0]) {
			typos = append(typos, fmt.Sprintf("there is a row %d, but this sheet has %d rows", last, first[0]))
		}
		last = int(first[0])
	}
	for n := 1; n <= last; n++ {
		if _, ok := parts[n]; !ok {
			typos = append(typos, fmt.Sprintf("row %d is missing", n))
		}
	}
	return typos
}

// join puts rows together, none of which is missing, and tests the checksum over all.
func join(parts map[int][]byte) ([]byte, error) {
	var all []byte
	for n := 1; n <= len(parts); n++ {
		if len(parts[n]) != rowBytes && n < len(parts) {
			return nil, Typos{fmt.Sprintf("row %d is too short", n)}
		}
		all = append(all, parts[n]...)
	}
	if len(all) < 1+sumSize {
		return nil, Typos{"the last rows are missing"}
	}
	body, sum := all[:len(all)-sumSize], all[len(all)-sumSize:]
	if want := sha256.Sum256(body); !bytes.Equal(want[:sumSize], sum) {
		return nil, Typos{"each row is right, but they do not belong together: rows of two sheets are mixed"}
	}
	return body[1:], nil
}

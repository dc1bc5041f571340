package mysql

import (
	"testing"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

func TestPiecesOfATextAreUTF8AsItsWholeIs(t *testing.T) {
	for _, text := range []string{"", "plain", "é", "漢字 😀", "\xff", "a\xe6\xbc", "\xe6\xbca\xa2", "a😀\xf0\x9f\x98", "\xed\xa0\x80", "é\x80é"} {
		for first := range len(text) + 1 {
			for second := first; second <= len(text); second++ {
				check := &utf8Check{class: database.ClassText}
				for _, piece := range []string{text[:first], text[first:second], text[second:]} {
					check.Write([]byte(piece))
				}
				if got := check.end() == database.ClassText; got != utf8.ValidString(text) {
					t.Fatalf("%q in pieces at %d and %d: valid is %v, want %v", text, first, second, got, utf8.ValidString(text))
				}
			}
		}
	}
}

func TestPiecesEndBetweenCharacters(t *testing.T) {
	for text, want := range map[string]int{"": 0, "ab": 2, "aé": 3, "a\xc3": 1, "漢\xe6\xbc": 3, "\xf0\x9f\x98": 0, "\x80\x80\x80\x80": 4, "\xff": 1} {
		if got := wholeRunes([]byte(text)); got != want {
			t.Errorf("wholeRunes(%q) = %d, want %d", text, got, want)
		}
	}
}

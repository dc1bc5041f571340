package sheet

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Sheets lie in safes for decades, so each version must be read for good.
func TestSheetsOfTheFirstVersionAreRead(t *testing.T) {
	text := golden(t, "sheet-v1.txt")
	s, err := Read(strings.NewReader(text))
	if err != nil || s.Identity == nil {
		t.Fatalf("got %v, %v", s, err)
	}
	for _, want := range []string{fmt.Sprint(s.Identity), s.Address, s.Owner.Repository, s.Owner.Owner.Fingerprint().String(), s.Of.String()} {
		if !strings.Contains(text, want) {
			t.Errorf("the sheet does not say %q, which was read from it", want)
		}
	}
	var parts []Part
	for _, name := range []string{"share-1-v1.txt", "share-3-v1.txt"} {
		part, err := Read(strings.NewReader(golden(t, name)))
		parts = append(parts, Part{name, part, err})
	}
	joined, err := Join(parts)
	if err != nil || !same(joined.Sheet, s) || len(joined.Bad) > 0 {
		t.Errorf("the shares give %+v, %v, want the sheet's identity", joined, err)
	}
}

func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

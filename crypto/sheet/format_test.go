package sheet

import "testing"

func TestTheFormatOfASheetIsNamedOrThatOfItsFile(t *testing.T) {
	for _, test := range []struct {
		name, file string
		want       Format
		ending     string
	}{
		{"", "", Text, ".txt"}, {"", "sheet.svg", SVG, ".svg"}, {"", "sheet.txt", Text, ".txt"}, {"text", "sheet.svg", Text, ".txt"}, {"svg", "", SVG, ".svg"},
	} {
		if got, err := FormatOf(test.name, test.file); got != test.want || err != nil || got.Ending() != test.ending {
			t.Errorf("%q, %q: got %q, %v", test.name, test.file, got, err)
		}
	}
	if got, err := FormatOf("pdf", ""); err == nil {
		t.Errorf("pdf is %q", got)
	}
}

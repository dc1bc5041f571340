package input

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAListIsReadInEachForm(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv", "c d"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	for _, test := range []struct {
		name string
		read func([]byte) ([]string, error)
		text string
		want []string
		ok   bool
	}{
		{"globbed", Globbed, "# all\n\n  " + dir + "/*.csv \r\n", []string{a, b}, true},
		{"globbed", Globbed, dir + "/*.txt\n", nil, false},
		{"globbed", Globbed, dir + "/[\n", nil, false},
		{"verbatim", Verbatim, "# a\n\n*.csv\n b \nlast", []string{"# a", "*.csv", " b ", "last"}, true},
		{"raw", Raw, "a\nb\x00c d\x00", []string{"a\nb", "c d"}, true},
		{"raw", Raw, "a\x00b", nil, false},
		{"raw", Raw, "", nil, true},
	} {
		if got, err := test.read([]byte(test.text)); !slices.Equal(got, test.want) || (err == nil) != test.ok {
			t.Errorf("%s of %q is %q, %v; want %q", test.name, test.text, got, err, test.want)
		}
	}
	if got, want := Lines([]byte("*.o\r\n\n \t\n tmp \nlast")), []string{"*.o", " tmp ", "last"}; !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
}

func FuzzLists(f *testing.F) {
	for _, seed := range []string{"a\nb\n", "a\x00b\x00", "a\x00b", "\r\n# c\n *", "[", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if paths, err := Raw(text); err == nil && len(paths) > 0 && strings.Join(paths, "\x00")+"\x00" != string(text) {
			t.Errorf("%q is read as %q", text, paths)
		}
		if paths, err := Verbatim(text); err != nil || slices.Contains(paths, "") || len(strings.Join(paths, "\n")) > len(text) {
			t.Errorf("%q is read as %q, %v", text, paths, err)
		}
		for _, line := range Lines(text) {
			if strings.TrimSpace(line) == "" || strings.ContainsAny(line, "\n") {
				t.Errorf("%q has the line %q", text, line)
			}
		}
	})
}

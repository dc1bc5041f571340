package glob

import (
	"path"
	"testing"
)

func TestPatternsMatchAsInAShell(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		exact, fold   bool
	}{
		{"*.txt", "a.txt", true, true}, {"*.txt", "A.TXT", false, true}, {"*", "a/b", false, false},
		{"[[:upper:]]x", "Ax", true, true}, {"[[:upper:]]x", "ax", false, true}, {"[![:digit:]]", "a", true, true}, {"[!0-9]", "5", false, false},
		{"[^a]", "a", false, false}, {"[a-c]", "B", false, true}, {`\*`, "*", true, true}, {`[\]]`, "]", true, true}, {"[]a]", "]", true, true},
		{"[a-]", "-", true, true}, {"É*", "école", false, true}, {"[[:punct:]]", "]", true, true}, {"[[:alnum:]_]", "_", true, true}, {"[[:space:]]", "\t", true, true},
	} {
		for _, fold := range []bool{false, true} {
			compiled, err := compile(c.pattern, fold)
			got, matchErr := path.Match(compiled, c.name)
			want := c.exact
			if fold {
				want = c.fold
			}
			if err != nil || matchErr != nil || got != want {
				t.Errorf("%s (any case: %v) is %s and matches %q: %v, %v, %v, want %v", c.pattern, fold, compiled, c.name, got, err, matchErr, want)
			}
		}
	}
	for _, pattern := range []string{"", "[", "[a", `a\`, "[[:word:]]"} {
		if compiled, err := Compile(pattern); err == nil {
			t.Errorf("%q is taken for %q", pattern, compiled)
		}
	}
}

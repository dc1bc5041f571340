package exclude

import "testing"

func TestAPatternOfAnyCaseMatchesWhateverTheLetters(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		matches       bool
	}{
		{"*.KEY", "a/b.key", true},
		{"*.key", "a/B.Key", true},
		{"*.key", "a/b.kez", false},
		{"/Home/*/secret", "home/me/SECRET", true},
		{"/Home/*/secret", "x/home/me/SECRET", false},
		{"[a-c]x", "BX", true},
		{"[a-c]x", "dx", false},
		{"[!A-c]x", "Bx", false},
		{"[]a]x", "Ax", true},
		{"[]a]x", "]X", true},
		{"[^]a]x", "Ax", false},
		{"[[:upper:]0]z", "qZ", true},
		{`\A\*b`, "a*B", true},
		{`\A\*b`, "aXB", false},
		{`[\]q]1`, "Q1", true},
		{"f\u00fcr", "F\u00fcR", true},
	} {
		p, err := Parse([]string{AnyCase(test.pattern)}, Place{})
		if err != nil {
			t.Errorf("%q becomes %q: %v", test.pattern, AnyCase(test.pattern), err)
			continue
		}
		if got := p.Leaves(test.path, false); got != test.matches {
			t.Errorf("%q becomes %q, which matches %q: %v, want %v", test.pattern, AnyCase(test.pattern), test.path, got, test.matches)
		}
	}
}

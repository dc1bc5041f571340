package glob

import (
	"path"
	"strings"
	"testing"
)

// FuzzPatterns compiles any pattern, and matches it with any name.
func FuzzPatterns(f *testing.F) {
	for _, seed := range [][2]string{{"*.go", "a.go"}, {"[[:upper:]]x", "Ax"}, {"[!a-c]", "d"}, {`\[a\]`, "[a]"}, {"[a-", "a"}, {"ä?", "Äb"}, {"[]a]", "]"}, {"\xff*", "\xff"}, {"[[:", ":"}, {"[a-\\]]", "b"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		exact, err := Compile(pattern)
		if err != nil {
			return
		}
		matches, err := path.Match(exact, name)
		if err != nil {
			t.Fatalf("%q became %q: %v", pattern, exact, err)
		}
		if itself, _ := path.Match(exact, pattern); !itself && !strings.ContainsAny(pattern, `*?[\/`) {
			t.Errorf("%q does not match itself", pattern)
		}
		loose, err := AnyCase(pattern)
		if err != nil {
			t.Fatalf("%q is good, and not in any case: %v", pattern, err)
		}
		if also, err := path.Match(loose, name); err != nil || matches && !also && !strings.Contains(pattern, "[^") && !strings.Contains(pattern, "[!") {
			t.Errorf("%q became %q, and then %q, %v, for %q", pattern, exact, loose, err, name)
		}
	})
}

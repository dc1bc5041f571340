package exclude

import (
	"path"
	"testing"
)

func TestTheLastPatternThatMatchesCounts(t *testing.T) {
	for _, c := range []struct {
		lines     []string
		path      string
		directory bool
		want      bool
	}{
		{[]string{"*.tmp"}, "a/b.tmp", false, true},
		{[]string{"*.tmp", "!/a/b.tmp"}, "a/b.tmp", false, false},
		{[]string{"!b.tmp", "*.tmp"}, "a/b.tmp", false, true},
		{[]string{"build/"}, "x/build", true, true},
		{[]string{"build/"}, "x/build", false, false},
		{[]string{"/data/*.log"}, "a.log", false, true},
		{[]string{"/data/*.log"}, "b/a.log", false, false},
		{[]string{"a/**/z"}, "a/1/2/z", false, true},
		{[]string{"a/**"}, "a", true, false},
		{nil, "a", false, false},
	} {
		p, err := Parse(c.lines, "/data")
		if err != nil {
			t.Fatal(err)
		}
		if got := match(p, c.path, c.directory); got != c.want {
			t.Errorf("%q, path %q, directory %v: got %v, want %v", c.lines, c.path, c.directory, got, c.want)
		}
	}
}

func match(p *Patterns, file string, directory bool) bool {
	dir := path.Dir(file)
	if dir == "." {
		dir = ""
	}
	return p.Match(dir, path.Base(file), directory)
}

func FuzzPatternsNeverFailOnAnyPath(f *testing.F) {
	f.Add("a/**/b", "a/x/y/b")
	f.Add("!/**/*.[a-z]/", "x/\xff.q")
	f.Add("**/**/**/*x*", "1/2/3/4/5/6/7x")
	f.Fuzz(func(t *testing.T, line, path string) {
		p, err := Parse([]string{line}, "/root")
		if err != nil {
			return
		}
		first := match(p, path, true)
		if again := match(p, path, true); again != first {
			t.Errorf("pattern %q, path %q: got %v, then %v", line, path, first, again)
		}
	})
}

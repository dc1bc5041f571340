package exclude

import (
	"strings"
	"testing"
	"time"
)

func TestPatternsAreAtHomeInTheTreeThatTheyAreAbout(t *testing.T) {
	top := Top("/data")
	paths := Place{Roots: map[string]string{"/srv/x": "srv/x", "/srv/x/y/z": "srv/x/y/z", "/opt": "opt"}, Each: true}
	parts := Place{Roots: map[string]string{"/opt/api": "api", "/opt/web": "web"}}
	for _, c := range []struct {
		place Place
		line  string
		path  string
		want  bool
	}{
		{top, "*.tmp", "a/b.tmp", true},
		{top, "a/b", "a/b", true},
		{top, "a/b", "x/a/b", false},
		{top, "**/a/b", "x/a/b", true},
		{top, "/data/*.log", "a.log", true},
		{top, "/data/*.log", "b/a.log", false},
		{top, "/data/a/**/b", "a/x/y/b", true},
		{top, "!/data/a", "a", false},
		{top, "/database", "database", true},
		{Top(""), "/a", "a", true},
		{Top("/"), "/a", "a", true},
		{paths, "a/b", "srv/x/a/b", true},
		{paths, "a/b", "opt/a/b", true},
		{paths, "a/b", "srv/x/y/z/a/b", true},
		{paths, "a/b", "srv/x/y/a/b", false},
		{paths, "/a", "opt/a", true},
		{paths, "/a", "opt/b/a", false},
		{paths, "*.o", "opt/b/a.o", true},
		{paths, "/srv/x/a", "srv/x/a", true},
		{paths, "/srv/x/a", "opt/srv/x/a", false},
		{paths, "/srv/*/a", "srv/x/a", true},
		{paths, "/srv/*/a", "srv/x/srv/x/a", false},
		{paths, "/srv/*/y/*", "srv/x/y/b", true},
		{paths, "/srv/**/a/", "srv/x/b/a", false},
		{paths, "/srv/b*", "srv/x/srv/bc", true},
		{paths, "/srv/*", "srv/x/srv/b", true},
		{paths, "/srv", "srv/x/srv", true},
		{paths, "/srv/x/y/z/a", "srv/x/y/z/a", true},
		{paths, "srv/x/a", "srv/x/a", false},
		{parts, "/api/log", "api/log", true},
		{parts, "api/log", "api/log", true},
		{parts, "/*/log", "web/log", true},
		{parts, "/log", "web/log", false},
		{parts, "log", "web/log", true},
		{parts, "/opt/api/log", "api/log", true},
		{parts, "/opt/api/log", "web/log", false},
		{parts, "/opt/api/**/log", "api/x/log", true},
		{top, "a[//]b*/c", "a/b/c", false}, // no class takes a slash
		{top, "a[:/.//]b/c", "a.b/c", true},
	} {
		p, err := Parse([]string{c.line}, c.place)
		if err != nil {
			t.Fatal(err)
		}
		if got := match(p, c.path, false); got != c.want {
			t.Errorf("%q of %+v, path %q: got %v, want %v", c.line, c.place, c.path, got, c.want)
		}
	}
}

func TestWhatCanMatchNothingIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"[a":        "its class has no end",
		"[[:alpha":  "its class has no end",
		"[a\\":      "its class has no end",
		"[[:foo:]]": "there is no class [:foo:]",
		"a\\":       "nothing follows its last backslash",
		"/":         "names nothing",
		"!":         "names nothing",
		"a//b":      `no path has ""`,
		"./a":       `no path has "."`,
		"a/../b":    `no path has ".."`,
		"":          "names nothing",
		"  ":        "names nothing",
	} {
		if _, err := Parse([]string{line}, Top("/x")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", line, err, want)
		}
	}
	for _, place := range []Place{Top("/x"), {Roots: map[string]string{"/x": "x"}, Each: true}} {
		p, err := Parse([]string{"# a comment", "#"}, place)
		if err != nil || p.Any() {
			t.Errorf("comments: got %v, %v, want no pattern", p, err)
		}
	}
}

func TestManyAsterisksTakeNoLongTime(t *testing.T) {
	file := strings.Repeat("a/", 200) + strings.Repeat("a", 200)
	for _, line := range []string{strings.Repeat("**/*a*", 50) + "b", "x/" + strings.Repeat("*a", 100) + "b", strings.Repeat("*a", 100) + "b"} {
		p, err := Parse([]string{line}, Place{})
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		if match(p, file, false) {
			t.Errorf("%q matches", line)
		}
		if took := time.Since(before); took > 10*time.Second { // without bounds it would take longer than anybody lives
			t.Errorf("%q: took %v", line, took)
		}
	}
}

func FuzzPatternsNeverFailOnAnyPath(f *testing.F) {
	f.Add("a/**/b", "a/x/y/b")
	f.Add("!/**/*.[a-z]/", "x/\xff.q")
	f.Add("**/**/**/*x*", "1/2/3/4/5/6/7x")
	f.Add("a\\/**[!]-b]", "a/")
	f.Fuzz(func(t *testing.T, line, path string) {
		for _, place := range []Place{Top("/root"), {Roots: map[string]string{"/x": "x", "/": ""}, Each: true}} {
			p, err := Parse([]string{line}, place)
			if err != nil {
				return
			}
			first := match(p, path, true)
			if again := match(p, path, true); again != first {
				t.Errorf("pattern %q, path %q: got %v, then %v", line, path, first, again)
			}
		}
	})
}

func TestLinesMeanTheSameInTheTopDirectory(t *testing.T) {
	lines := []string{"*.tmp", "/build", "cache/", "a/b", "!keep.tmp", "/srv/x [1]/only", `\#odd`, "**/deep/*", "/srv/*/cache"}
	paths := []string{
		"x.tmp", "srv/x [1]/x.tmp", "srv/x [1]/build", "build", "srv/y*/build", "srv/x [1]/deeper/build", "srv/x [1]/cache", "srv/x [1]/a/b",
		"srv/x [1]/keep.tmp", "srv/x [1]/only", "srv/y*/only", "only", "#odd", "srv/y*/p/deep/q", "deep/q", "srv/x [1]/c/cache", "srv/x 1/build",
	}
	for name, place := range map[string]Place{
		"top":       {},
		"one root":  Top("/srv/x [1]"),
		"each":      {Roots: map[string]string{"/srv/x [1]": "srv/x [1]", "/srv/y*": "srv/y*"}, Each: true},
		"component": {Roots: map[string]string{"/srv/x [1]": "api", "/srv/y*": "worker"}},
	} {
		there, err := Parse(lines, place)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(there.Lines(), Place{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, path := range paths {
			for _, directory := range []bool{true, false} {
				if got, want := again.Leaves(path, directory), there.Leaves(path, directory); got != want {
					t.Errorf("%s: %q, directory %v: got %v, want %v by %q", name, path, directory, got, want, there.Lines())
				}
			}
		}
	}
}

func TestWhatLiesInADirectoryThatIsLeftOutIsLeftOut(t *testing.T) {
	p, err := Parse([]string{"cache/", "/a/b"}, Place{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"cache": false, "cache/x": true, "x/cache/y/z": true, "a": false, "a/b": true, "a/b/c": true, "x/a/b": false, "": false,
	} {
		if got := p.Leaves(path, false); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
}

func TestPatternsOfAnyCase(t *testing.T) {
	for _, c := range []struct {
		line, path string
		want       bool
	}{
		{"*.TMP", "a/b.tmp", true}, {"*.tmp", "B.TMP", true}, {"*.tmp", "b.tmpx", false}, {"[a-c]x", "BX", true}, {"[!a]x", "Ax", false}, {"[!a]x", "bX", true},
		{"[a-]x", "-x", true}, {"[a-]x", "AX", true}, {"[a-]x", "Bx", false}, {"[[:upper:]]1", "z1", true}, {`\AB`, "ab", true}, {`\*b`, "*B", true}, {"/Data/a", "A", true},
	} {
		p := new(Patterns)
		if err := p.AddAnyCase([]string{c.line}, Top("/Data")); err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		again, err := Parse(p.Lines(), Place{})
		if err != nil || p.Leaves(c.path, false) != c.want || again.Leaves(c.path, false) != c.want {
			t.Errorf("%s leaves out %s: %v, and as recorded %v, %v, want %v", c.line, c.path, p.Leaves(c.path, false), again.Leaves(c.path, false), err, c.want)
		}
	}
}

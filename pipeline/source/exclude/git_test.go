package exclude

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gitTree is a tree in which many directories have a .gitignore each, and what git says of all that
// is in them.
type gitTree struct {
	root  string
	rules map[string][]string // lines of the .gitignore of a directory
	paths []string
	want  map[string]bool
}

func newGitTree(t *testing.T) *gitTree {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("NOT TESTED here: git is not installed")
	}
	g := &gitTree{root: t.TempDir(), rules: map[string][]string{}}
	g.git(t, "", "init", "-q", ".")
	return g
}

// git runs git without the settings of whoever runs the test.
func (g *gitTree) git(t *testing.T, input string, arguments ...string) []byte {
	t.Helper()
	cmd := exec.Command("git", arguments...)
	cmd.Dir, cmd.Stdin = g.root, strings.NewReader(input)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_DIR="+g.root+"/.git", "GIT_WORK_TREE="+g.root)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1 && arguments[0] == "check-ignore") { // 1: none is ignored
		t.Fatalf("git %q: %v: %s", arguments, err, &stderr)
	}
	return out
}

// add makes a directory with a .gitignore of these lines and with these paths, of which those that
// end in a slash are directories.
func (g *gitTree) add(t *testing.T, lines, paths []string) {
	t.Helper()
	dir := fmt.Sprintf("%05d", len(g.rules))
	g.rules[dir] = lines
	for _, p := range paths {
		file := filepath.Join(g.root, dir, p)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if strings.HasSuffix(p, "/") {
			must(t, os.MkdirAll(file, 0o755))
		} else if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		g.paths = append(g.paths, dir+"/"+p)
	}
	must(t, os.WriteFile(filepath.Join(g.root, dir, ".gitignore"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask asks git about all paths.
func (g *gitTree) ask(t *testing.T) {
	t.Helper()
	g.want = map[string]bool{}
	// It finds out itself what is a directory; with a slash at the end it would match the slash
	// too.
	var input strings.Builder
	for _, p := range g.paths {
		input.WriteString(strings.TrimSuffix(p, "/") + "\x00")
	}
	out := g.git(t, input.String(), "check-ignore", "-z", "--stdin", "--no-index")
	for p := range strings.SplitSeq(string(out), "\x00") {
		g.want[p] = true
	}
}

// compare tells where ours say something else than git, and returns how many were compared and how
// many of them are left out.
func (g *gitTree) compare(t *testing.T) (compared, out int) {
	t.Helper()
	parsed := map[string]*Patterns{}
	for dir, lines := range g.rules {
		parsed[dir] = parse(lines)
	}
	for _, p := range g.paths {
		dir, rest, _ := strings.Cut(p, "/")
		got := leftOut(parsed[dir], rest)
		if got != g.want[strings.TrimSuffix(p, "/")] {
			t.Errorf("patterns %q, path %q: got %v, git says %v", g.rules[dir], rest, got, !got)
		}
		compared++
		if got {
			out++
		}
	}
	return compared, out
}

// parse leaves out lines that are refused, since they can match nothing: git has them all the same.
func parse(lines []string) *Patterns {
	all := new(Patterns)
	for _, line := range lines {
		if p, err := Parse([]string{line}, Top("/some/where")); err == nil {
			all.list = append(all.list, p.list...)
		}
	}
	return all
}

// leftOut tells whether a walk does not come to a path, which ends in a slash if it is a
// directory's.
func leftOut(p *Patterns, file string) bool {
	file, directory := strings.CutSuffix(file, "/")
	for i := range len(file) {
		if file[i] == '/' && match(p, file[:i], true) {
			return true
		}
	}
	return match(p, file, directory)
}

func match(p *Patterns, file string, directory bool) bool {
	dir := path.Dir(file)
	if dir == "." {
		dir = ""
	}
	return p.In(dir).Match(path.Base(file), directory)
}

// generator makes patterns and paths that have much in common.
type generator struct{ *rand.Rand }

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (g generator) paths(n int) []string {
	kind := map[string]bool{} // path → is a directory
	for range n {
		dir := ""
		for range g.IntN(4) {
			next := dir + g.name()
			if directory, there := kind[next]; there && !directory {
				break
			}
			kind[next] = true
			dir = next + "/"
		}
		if p := dir + g.name(); !kind[p] {
			kind[p] = g.IntN(3) == 0
		}
	}
	var list []string
	for p, directory := range kind {
		if directory {
			p += "/"
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

func (g generator) name() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(pick(g.Rand, "a", "a", "b", "b", "c", "ab", "A", "1", "-", "]", "[", "*", "?", "\\", "!", "#", " ", "é", "\t"))
	}
	return b.String()
}

// lines makes a .gitignore, half of whose lines come from one of the paths.
func (g generator) lines(paths []string) []string {
	var list []string
	for range 1 + g.IntN(4) {
		if g.IntN(2) == 0 {
			list = append(list, g.line())
		} else {
			list = append(list, g.like(pick(g.Rand, paths...)))
		}
	}
	return list
}

// like makes a pattern of a path by putting something general in the place of bytes and names.
func (g generator) like(path string) string {
	names := strings.Split(path, "/")
	names = names[g.IntN(len(names)):]
	for i, name := range names {
		switch g.IntN(6) {
		case 0:
			names[i] = pick(g.Rand, "*", "**", "***", "?*", "[^/]*")
		case 1, 2:
			if len(name) > 0 {
				at := g.IntN(len(name))
				names[i] = name[:at] + g.piece() + name[at+g.IntN(2):]
			}
		}
	}
	return pick(g.Rand, "", "", "!", "/", "**/") + strings.Join(names, "/") + pick(g.Rand, "", "", "", " ", "/**")
}

func (g generator) line() string {
	var b strings.Builder
	b.WriteString(pick(g.Rand, "", "", "", "", "!", "/", "**/", "#", "\\#", "\\!", "/**/", "!/"))
	for i := range 1 + g.IntN(3) {
		if i > 0 {
			b.WriteString(pick(g.Rand, "/", "/", "/", "/**/", "\\/", "**/", "/**"))
		}
		for range 1 + g.IntN(3) {
			b.WriteString(g.piece())
		}
	}
	b.WriteString(pick(g.Rand, "", "", "", "", "/", "/", "/**", "/*", " ", "\\ ", "  ", "\\  ", "/ ", "**", "\t"))
	return b.String()
}

func (g generator) piece() string {
	switch g.IntN(8) {
	case 0, 1:
		return "*"
	case 2:
		return pick(g.Rand, "?", "**", "***")
	case 3:
		return g.class()
	case 4:
		return pick(g.Rand, "\\a", "\\*", "\\?", "\\[", "\\\\", "\\ ", "]", " ", "!", "#", "-")
	}
	return g.name()
}

func (g generator) class() string {
	var b strings.Builder
	b.WriteString("[" + pick(g.Rand, "", "", "", "!", "^"))
	for range 1 + g.IntN(3) {
		b.WriteString(pick(g.Rand, "a", "b", "]", "a-b", "A-Z", "c-a", "-", "\\]", "\\a-c", "a-\\c", "[", "[:", "/", "é", " ", "!", "\\\\",
			"[:alnum:]", "[:alpha:]", "[:blank:]", "[:cntrl:]", "[:digit:]", "[:graph:]", "[:lower:]", "[:print:]", "[:punct:]", "[:space:]",
			"[:upper:]", "[:xdigit:]", "[:nope:]"))
	}
	return b.String() + pick(g.Rand, "]", "]", "]", "]", "]", "-]", "")
}

// compareWithGit generates cases until there are so many.
func compareWithGit(t *testing.T, seed uint64, cases int) {
	t.Helper()
	for done, out := 0, 0; done < cases; seed++ {
		tree, g := newGitTree(t), generator{rand.New(rand.NewPCG(seed, 0))}
		for n := 0; n < min(cases-done, 50_000); n = len(tree.paths) {
			paths := g.paths(12)
			tree.add(t, g.lines(paths), paths)
		}
		tree.ask(t)
		compared, left := tree.compare(t)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
		must(t, os.RemoveAll(tree.root))
		done, out = done+compared, out+left
		t.Logf("%d cases like git's answer so far, %d of them left out", done, out)
	}
}

func TestGeneratedPatternsMatchWhatGitMatches(t *testing.T) { compareWithGit(t, 1, 10_000) }

func TestEveryByteIsInTheClassesThatGitHasItIn(t *testing.T) {
	tree := newGitTree(t)
	var paths []string
	for b := 1; b < 256; b++ {
		if b != '/' {
			paths = append(paths, "x"+string([]byte{byte(b)}))
		}
	}
	for name := range classes {
		tree.add(t, []string{"x[[:" + name + ":]]"}, paths)
		tree.add(t, []string{"x[![:" + name + ":]]"}, paths)
	}
	tree.ask(t)
	if compared, out := tree.compare(t); compared != 2*len(classes)*len(paths) || out != compared/2 {
		t.Errorf("compared %d, %d of them left out", compared, out)
	}
}

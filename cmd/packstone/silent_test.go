package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// tampered is a repository with a few snapshots and configs, and somebody who restores and has seen
// all of it.
type tampered struct {
	t          *testing.T
	repository string
	env        []string
	home       string
	want       map[string]string // what each verb says of the repository as it is
}

// readers are the verbs that are tried. What they print depends on the repository alone.
var readers = [][]string{
	{"snapshots"}, {"ls", "latest"}, {"find", "*"}, {"diff", "latest~1", "latest"}, {"dump", "latest"}, {"stats"}, {"restore", "latest", "--target"},
	{"catalog", "query", "SELECT id FROM snapshots"}, {"cat", "snapshot", "latest"}, {"check", "--read-data"},
}

func newTampered(t *testing.T) *tampered {
	home := t.TempDir()
	w := &tampered{t: t, home: home, repository: filepath.Join(home, "repository"), want: map[string]string{}}
	w.env = []string{"HOME=" + home, "PACKSTONE_REPOSITORY=" + w.repository, "PACKSTONE_CACHE_DIR=" + filepath.Join(home, "cache")}
	w.must("init", "--classic")
	source := filepath.Join(home, "source")
	for i, content := range []string{"one", "two"} {
		w.write(filepath.Join(source, "file"), content)
		w.must("backup", source)
		if i == 0 {
			w.must("key", "writer", "add", "db1", "-o", filepath.Join(home, "db1.key"))
		}
	}
	for _, verb := range readers {
		_, said := w.say(verb)
		w.want[verb[0]] = said
	}
	return w
}

func (w *tampered) must(args ...string) {
	w.t.Helper()
	if code, stdout, stderr := runWith(w.t, w.env, args...); code != 0 {
		w.t.Fatalf("%v ends with %d: %s%s", args, code, stdout, stderr)
	}
}

func (w *tampered) write(name, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// numbers are what differs from run to run.
var numbers = regexp.MustCompile(`\d+(\.\d+)? ?(ms|s)\b|/target\S*`)

// say runs a verb without what was fetched before, but with what was seen, and returns what it
// says: its output, and what has come back.
func (w *tampered) say(verb []string) (complains bool, said string) {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.home, "cache", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, dir := range found {
		if !strings.HasPrefix(filepath.Base(dir), "address-") {
			os.RemoveAll(dir)
		}
	}
	target := filepath.Join(w.home, "target")
	os.RemoveAll(target)
	args := slices.Clone(verb)
	if verb[0] == "restore" {
		args = append(args, target)
	}
	code, stdout, stderr := runWith(w.t, w.env, args...)
	if verb[0] == "restore" {
		stdout = ""
		for name, content := range filesBelow(w.t, target) {
			if filepath.Base(name) == "file" {
				stdout += string(content)
			}
		}
	}
	return code != 0 || strings.Contains(stderr, "warning:"), numbers.ReplaceAllString(stdout, "")
}

func filesBelow(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

// kindOf is the folder of an object.
func kindOf(object string) string {
	kind, _, _ := strings.Cut(object, "/")
	return kind
}

// TestNothingThatIsDoneToAnObjectIsSilent damages, removes and replaces each object in turn. A verb
// then complains, or gives what it gave before; a check complains of all that is needed.
func TestNothingThatIsDoneToAnObjectIsSilent(t *testing.T) {
	w := newTampered(t)
	objects := filesBelow(t, w.repository)
	delete(objects, "tmp/reserve") // room that is kept for who deletes: no object
	cases, silent := 0, 0
	for name, content := range objects {
		for what, tampered := range map[string][]byte{"damaged": flipped(content), "removed": nil, "replaced": another(objects, name)} {
			if what == "replaced" && tampered == nil {
				continue
			}
			path := filepath.Join(w.repository, name)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			set(t, path, tampered, info.ModTime())
			for _, verb := range readers {
				cases++
				complains, said := w.say(verb)
				switch {
				case complains:
				case said != w.want[verb[0]]:
					t.Errorf("%s is %s: %s gives something else without a word: %q, was %q", name, what, verb[0], said, w.want[verb[0]])
				case verb[0] == "check" && !(what == "removed" && kindOf(name) == "sessions"):
					t.Errorf("%s is %s: check finds nothing", name, what)
				default:
					silent++
				}
			}
			set(t, path, content, info.ModTime())
		}
	}
	t.Logf("%d cases; in %d the answer was right without it", cases, silent)
	for _, verb := range readers {
		if complains, said := w.say(verb); complains || said != w.want[verb[0]] {
			t.Errorf("%s complains of the repository as it was, or gives something else: %q", verb[0], said)
		}
	}
}

func flipped(content []byte) []byte {
	content = slices.Clone(content)
	content[len(content)/2] ^= 1
	return content
}

// another is an object of the same kind, nil if there is none.
func another(objects map[string][]byte, name string) []byte {
	for _, other := range slices.Sorted(maps.Keys(objects)) {
		if other != name && kindOf(other) == kindOf(name) {
			return objects[other]
		}
	}
	return nil
}

// set makes an object hold content, with the date that it has; nil removes it.
func set(t *testing.T, path string, content []byte, date time.Time) {
	t.Helper()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if content == nil {
		return
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, date, date); err != nil {
		t.Fatal(err)
	}
}

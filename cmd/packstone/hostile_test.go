package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A name that clears the screen, sets the title by an 8-bit control, turns the direction of the
// text and passes a line off as ours.
const hostile = "x\x1b[2J\u009b31m\u202egnp\x7f\nforged: all is well\xff"

// unprintable is what no verb may print, forged text at the beginning of a line among it.
var unprintable = regexp.MustCompile(`(?m)[\x00-\x08\x0b-\x1f\x7f]|\x{80}|\x{9b}|\x{202e}|^forged`)

// hostileRepository is a repository in whose snapshot everything that can has that name, and the
// environment to use it.
func hostileRepository(t *testing.T) (env []string, source string) {
	t.Helper()
	home, source := t.TempDir(), filepath.Join(t.TempDir(), hostile)
	env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PACKSTONE_REPOSITORY=" + filepath.Join(home, "repository"), "PACKSTONE_HOST=" + hostile}
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, hostile), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(hostile, filepath.Join(source, "link")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runWith(t, env, "init"); code != 0 {
		t.Fatalf("init ends with %d: %s", code, stderr)
	}
	for _, content := range []string{"one", "two\n"} {
		if err := os.WriteFile(filepath.Join(source, hostile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := runWith(t, env, "backup", "--description", hostile, source); code != 0 {
			t.Fatalf("backup ends with %d: %s", code, stderr)
		}
	}
	return env, source
}

func TestNoVerbPrintsWhatMovesATerminal(t *testing.T) {
	env, source := hostileRepository(t)
	target := filepath.Join(t.TempDir(), hostile)
	for _, args := range [][]string{
		{"snapshots"}, {"ls", "latest"}, {"ls", "--long", "latest"}, {"find", "*"}, {"diff", "latest~1", "latest"}, {"diff", "--metadata", "latest~1", "latest"},
		{"stats"}, {"status"}, {"check"}, {"check", "--read-data"}, {"catalog", "verify"}, {"catalog", "rebuild"},
		{"catalog", "query", "SELECT * FROM snapshots"}, {"catalog", "query", "SELECT * FROM files"}, {"key", "list"}, {"doctor"}, {"cat", "snapshot", "latest"},
		{"tag", "--add", hostile + "2", "latest"}, {"backup", "-v", source}, {"backup", "-n", "-v", source}, {"backup", "--host", hostile, "--tag", hostile, source},
		{"restore", "latest", "--target", target, "-n", "-v"}, {"restore", "latest", "--target", target, "-v"}, {"restore", "latest", "--target", target, "--plan"},
		{"restore", "latest:/" + hostile, "--target", target}, {"snapshots", "--tag", hostile}, {"ls", hostile}, {"restore", "@" + hostile, "--target", target},
		{"backup", "/nowhere/" + hostile}, {"-r", "/nowhere/" + hostile, "snapshots"}, {"-i", "/nowhere/" + hostile, "snapshots"}, {hostile}, {"snapshots", "--" + hostile},
		{"-c", "/nowhere/" + hostile, "config", "check"}, {"repair", "--from", "/nowhere/" + hostile},
	} {
		for _, form := range [][]string{nil, {"--json"}} {
			_, stdout, stderr := runWith(t, env, append(args, form...)...)
			for stream, text := range map[string]string{"stdout": stdout, "stderr": stderr} {
				if at := unprintable.FindStringIndex(strings.ToValidUTF8(text, "\x00")); at != nil {
					t.Errorf("%q prints on %s what moves a terminal: %q", append(args, form...), stream, text)
				}
			}
		}
	}
}

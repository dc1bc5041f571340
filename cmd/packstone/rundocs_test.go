package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// documentedWay takes what docs/running.md says to type, and the settings file that it shows, out
// of the section that leads from nothing to a watched backup.
func documentedWay(t *testing.T) (commands []string, settings string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## From nothing to a scheduled, watched backup\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("docs/running.md has no such section any more")
	}
	fence := false
	for line := range strings.Lines(section) {
		switch command, indented := strings.CutPrefix(line, "    "); {
		case strings.HasPrefix(line, "```"):
			fence = !fence
		case fence:
			settings += line
		case indented:
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands, settings
}

// TestTheDocumentedWayLeadsToAWatchedBackup types what docs/running.md says, in its order, with only the places changed, and prints how long that
// takes. What takes a service manager is left out: the service itself is run for a moment.
func TestTheDocumentedWayLeadsToAWatchedBackup(t *testing.T) {
	root := t.TempDir()
	home := filepath.Join(root, "root")
	here := strings.NewReplacer("/etc/packstone", root+"/etc/packstone", "/mnt/backup", root+"/mnt/backup", "/srv/files", root+"/srv/files").Replace
	for _, dir := range []string{"root", "mnt/backup", "srv/files"} {
		mustMkdir(t, filepath.Join(root, dir))
	}
	for i := range 200 {
		putFile(t, fmt.Sprintf("%s/srv/files/%03d", root, i), incompressible(20_000, uint64(i)), i)
	}
	commands, settings := documentedWay(t)
	if len(commands) < 9 || !strings.Contains(settings, "schedule:") {
		t.Fatalf("the section has %d commands, and settings of %d bytes", len(commands), len(settings))
	}
	script := "set -e\n"
	for _, command := range commands {
		if strings.HasPrefix(command, "systemctl ") || strings.HasPrefix(command, "journalctl ") {
			continue
		}
		if strings.HasPrefix(command, "export PACKSTONE_CONFIG=") { // the file stands before it in the text
			script += "cat >" + root + "/etc/packstone/packstone.yaml <<'SETTINGS'\n" + here(settings) + "SETTINGS\n"
		}
		script += "echo \"+ " + strings.ReplaceAll(here(command), `"`, "") + "\"\n" + here(command) + "\n"
	}
	script += "packstone run --listen 127.0.0.1:0 2>served & until grep 'serving http' served; do sleep 0.1; done; kill $!; wait $!\n"
	begun := time.Now()
	shell := exec.Command("sh", "-c", script)
	shell.Dir, shell.Env = root, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"made repository", "backup platform: done", "prune: done", "check: done", "platform ", "protected", "serving http://"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing says %q in\n%s", want, out)
		}
	}
	t.Logf("%d commands took %v", len(commands), time.Since(begun).Round(time.Second/10))
}

//go:build sabotage

package sabotage_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryMutationIsNoticed does one line after the other wrongly, and runs the tests that watch
// it. MUTATION is a pattern of those that are tried; all by default.
func TestEveryMutationIsNoticed(t *testing.T) {
	chosen := regexp.MustCompile(os.Getenv("MUTATION"))
	for _, m := range mutations {
		if !chosen.MatchString(m.wrong) {
			continue
		}
		var by []string
		for _, folder := range slices.Sorted(maps.Keys(m.watched)) {
			by = append(by, m.run(t, folder)...)
		}
		t.Logf("%s: noticed by %s", m.wrong, by)
		if len(by) == 0 {
			t.Errorf("%s: nothing notices it", m.wrong)
			by = []string{"NOTHING"}
		}
		noticed += fmt.Sprintf("%-42s %s\n", m.wrong, strings.Join(by, ", "))
	}
	t.Log(noticed)
}

// run builds the tests of a folder with the line that is wrong, and returns those that fail.
func (m mutation) run(t *testing.T, folder string) (names []string) {
	t.Helper()
	dir, program := filepath.Join("..", "..", filepath.FromSlash(folder)), filepath.Join(t.TempDir(), "test")
	cmd := exec.Command("go", "test", "-c", "-overlay", m.overlay(t), "-o", program, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: build the tests of %s: %v\n%s", m.wrong, folder, err, out)
		return nil
	}
	tests := m.watched[folder]
	if !strings.Contains(tests, "/") {
		tests = "^(" + tests + ")"
	}
	cmd = exec.Command(program, "-test.run", tests, "-test.count=1", "-test.timeout=10m")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	for _, match := range failedAnywhere.FindAllStringSubmatch(string(out), -1) {
		if strings.HasPrefix(match[1], "TestScripts/") || !strings.Contains(match[1], "/") && match[1] != "TestScripts" {
			names = append(names, match[1])
		}
	}
	if err != nil && len(names) == 0 {
		names = []string{"a run that does not end well"}
	}
	return names
}

var failedAnywhere = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)

// overlay replaces the mutated file in a build.
func (m mutation) overlay(t *testing.T) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", filepath.FromSlash(m.file)))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mutated, overlay := filepath.Join(t.TempDir(), "mutated.go"), filepath.Join(t.TempDir(), "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{mutated: strings.Replace(string(source), m.old, m.new, 1), overlay: string(list)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

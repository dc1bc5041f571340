//go:build sabotage

package sabotage_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/packstone/packstone/archive/sabotage"
)

// watched says which tests are to notice an act: packages, and their tests.
var watched = map[sabotage.Act]map[string]string{
	sabotage.NoSync:       {"archive/store/localdir": "TestAFileIsFlushedBeforeItGetsItsName"},
	sabotage.NoRescan:     {"pipeline": "TestHistories|TestABackupIsWholeWhereverACollectionRuns"},
	sabotage.CommitFirst:  {"pipeline": "TestHistories|TestABackupAfterAKill|TestABackupAfterOneLostCall"},
	sabotage.NoIDCheck:    {"archive": "TestEveryFlippedByte|TestWrongPlaces", "pipeline": "TestHistories|TestAPoisonedIndexOfAnotherIsNotReliedOn"},
	sabotage.NoRetry:      {"archive/store/retry": "TestFlakyStoreIsUsable", "archive/store/storetest": "TestASimulationInBadWeather"},
	sabotage.NoDrain:      {"pipeline": "TestHistories|TestABackupIsWholeWhereverACollectionRuns|TestAnOpenSession"},
	sabotage.ForeignRun:   {"pipeline": "TestHistories", "catalog": "TestACommitSupersedes"},
	sabotage.BelieveLate:  {"pipeline": "TestHistories|TestABackupIsWholeWhereverRecordsAreRolledUp|TestAnUndeleteCounts"},
	sabotage.DeleteUnread: {"pipeline": "TestDeleteRemoves|TestADirectoryIsReplaced"},
}

// noticed is the table of all that was left out or done wrongly, and of what has noticed.
var noticed = "\n"

// TestEverySabotageIsNoticed runs the tests that watch an act, with it and without, and prints which
// of them failed.
func TestEverySabotageIsNoticed(t *testing.T) {
	programs, table := map[string]string{}, ""
	for _, act := range sabotage.Acts {
		var by []string
		for folder, tests := range watched[act] {
			if programs[folder] == "" {
				programs[folder] = build(t, folder)
			}
			by = append(by, failing(t, programs[folder], folder, tests, act)...)
		}
		t.Logf("%s: noticed by %s", act, by)
		if len(by) == 0 {
			t.Errorf("%s: nothing notices it", act)
			by = []string{"NOTHING"}
		}
		table += fmt.Sprintf("%-42s %s\n", act, strings.Join(by, ", "))
	}
	noticed += table
	t.Log(noticed)
	for folder, program := range programs {
		if failed := failing(t, program, folder, all(folder), ""); len(failed) > 0 {
			t.Errorf("%s: %s fails without sabotage", folder, failed)
		}
	}
}

// all are the tests of a folder that watch some act.
func all(folder string) string {
	var tests []string
	for _, folders := range watched {
		if folders[folder] != "" {
			tests = append(tests, folders[folder])
		}
	}
	return strings.Join(tests, "|")
}

// build makes the tests of a folder, with the tag.
func build(t *testing.T, folder string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "test")
	cmd := exec.Command("go", "test", "-c", "-tags", "sabotage", "-o", program, ".")
	cmd.Dir = filepath.Join("..", "..", filepath.FromSlash(folder))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", folder, err, out)
	}
	return program
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// failing runs tests, and returns those that fail.
func failing(t *testing.T, program, folder, tests string, act sabotage.Act) (names []string) {
	t.Helper()
	cmd := exec.Command(program, "-test.run", "^("+tests+")", "-test.count=1", "-rapid.nofailfile", "-rapid.shrinktime=1s")
	if folder != "pipeline" {
		cmd.Args = cmd.Args[:len(cmd.Args)-2]
	}
	cmd.Dir = filepath.Join("..", "..", filepath.FromSlash(folder))
	cmd.Env = append(os.Environ(), "PACKSTONE_SABOTAGE="+string(act))
	out, err := cmd.CombinedOutput()
	for _, match := range failure.FindAllStringSubmatch(string(out), -1) {
		names = append(names, match[1])
	}
	if err != nil && len(names) == 0 {
		t.Fatalf("%s with %q: %v\n%s", folder, act, err, out)
	}
	return names
}

package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestTheExamplesNameOnlyWhatExists does for the files in docs/examples, for those of containers,
// and for the examples of --help, what TestThePagesNameOnlyWhatExists does for pages.
func TestTheExamplesNameOnlyWhatExists(t *testing.T) {
	root := moduleRoot(t)
	checked := map[string]int{}
	for pattern, check := range map[string]func(text string) (int, error){
		"docs/examples/*.yaml":                                 func(text string) (int, error) { return 1, checkSettings(text) },
		"docs/examples/systemd/*":                              checkUnit,
		"docs/examples/kubernetes/*.yaml":                      checkContainers,
		"docs/examples/kubernetes-platform/packstone.yaml":     func(text string) (int, error) { return 1, checkSettings(text) },
		"docs/examples/kubernetes-platform/kustomization.yaml": checkContainers,
		"docker-compose.yml":                                   checkContainers,
	} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			n, err := check(readText(t, file))
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			checked[pattern] += n
		}
		if checked[pattern] == 0 {
			t.Errorf("%s: nothing in it was checked", pattern)
		}
	}
	eachVerb(newRoot(newApp(process{})), func(cmd *cobra.Command) {
		for _, example := range splitExamples(cmd.Example) {
			checked["--help"]++
			if err := checkCommand(example); err != nil {
				t.Errorf("%s --help: %v", cmd.CommandPath(), err)
			}
		}
	})
	t.Logf("checked: %v", checked)
}

func splitExamples(text string) []string {
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\\\n", "")), "\n")
}

func checkUnit(text string) (n int, err error) {
	for line := range strings.Lines(text) {
		if unitExec.MatchString(line) {
			n, err = n+1, errors.Join(err, checkServiceLine("ini", strings.TrimSpace(line)))
		}
	}
	return n, err
}

var (
	containerArgs    = regexp.MustCompile(`^ *(?:- )?(?:args|command): \[((?:"?run|"?backup).*)\]`)
	containerComment = regexp.MustCompile(`^# +((?:docker|kubectl) .+)`)
)

// checkContainers looks at what containers are to run, and at commands in comments.
func checkContainers(text string) (n int, err error) {
	for line := range strings.Lines(text) {
		if found := containerArgs.FindStringSubmatch(line); found != nil {
			n, err = n+1, errors.Join(err, checkCall(strings.Split(strings.ReplaceAll(found[1], `"`, ""), ", ")))
		}
		if found := containerComment.FindStringSubmatch(line); found != nil {
			n, err = n+1, errors.Join(err, checkCommand(found[1]))
		}
	}
	return n, err
}

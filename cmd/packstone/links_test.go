package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link is a link of Markdown to a file of the project.
var link = regexp.MustCompile(`\]\(([^)#\s:]+)(#[^)]*)?\)`)

func TestEveryLinkInTheDocsLeadsToAFile(t *testing.T) {
	root, links := moduleRoot(t), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range link.FindAllSubmatch(text, -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), string(found[1]))); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", path, err)
			}
		}
		return err
	})
	if err != nil || links < 50 {
		t.Errorf("%d links were followed, %v", links, err)
	}
}

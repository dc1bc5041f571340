package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/packstone/packstone/"

// mayImport says which packages of ours those below a folder may import, as folders below which
// they lie. The longest folder that fits a package rules; a package may always import what lies
// below its own rule's folder. Tests are held to no rule but that against cycles.
var mayImport = map[string][]string{
	"chunker":           {},
	"crypto":            {},
	"archive/disk":      {},
	"archive/sabotage":  {},
	"catalog/entry":     {},
	"archive/store":     {"archive/disk", "archive/sabotage"},
	"archive":           {"chunker", "crypto", "archive/store", "archive/sabotage"},
	"catalog":           {"catalog/entry", "archive", "archive/store", "chunker", "crypto", "archive/disk", "archive/sabotage"},
	"pipeline/ahead":    {"catalog/entry"},
	"pipeline/local":    {"catalog/entry"},
	"pipeline/remote":   {"catalog/entry", "archive/store", "pipeline/ahead"}, // of storage only what is no adapter: see shared
	"pipeline/database": {"archive/disk"},
	"pipeline/source":   {"catalog/entry", "pipeline/ahead", "pipeline/local", "pipeline/remote", "pipeline/database", "archive/disk"},
	"pipeline/target":   {"catalog/entry", "pipeline/local", "pipeline/remote", "pipeline/database", "archive/disk"},
	"pipeline/fetch":    {"catalog/entry", "catalog", "archive", "archive/store", "crypto"},
	"pipeline":          {}, // what all flows have in common; a flow imports no other
	"pipeline/backup":   {"catalog/entry", "catalog", "archive", "archive/store", "chunker", "crypto", "pipeline", "pipeline/fetch", "pipeline/source"},
	"pipeline/restore": {"catalog/entry", "catalog", "archive", "archive/sabotage", "pipeline", "pipeline/fetch", "pipeline/target", "pipeline/database",
		"pipeline/source"}, // what a backup leaves out
	"pipeline/browse": {"catalog/entry", "catalog", "archive", "crypto", "pipeline/fetch", "pipeline/source", "pipeline/database"},
	"pipeline/fit":    {"catalog/entry", "catalog", "pipeline/database", "pipeline/fetch"},
	"pipeline/mount":  {"catalog/entry", "catalog", "archive", "pipeline/fetch"},
	"pipeline/check":  {"catalog/entry", "catalog", "archive", "archive/store", "crypto", "pipeline", "pipeline/fetch"},
	"pipeline/copy": {"catalog/entry", "catalog", "archive", "archive/store", "crypto", "pipeline", "pipeline/fetch", "pipeline/source",
		"pipeline/backup"}, // a copy is a backup whose source is a snapshot
	"pipeline/rewrite": {"catalog/entry", "catalog", "archive", "archive/store", "pipeline/fetch", "pipeline/source"}, // what a backup leaves out
	"pipeline/collect": {"catalog/entry", "catalog", "archive", "archive/store", "archive/sabotage", "crypto", "pipeline", "pipeline/fetch"},
	"pipeline/thaw":    {"archive", "archive/store"},
	"pipeline/keep":    {"catalog/entry", "catalog", "archive", "archive/store"},
	"pipeline/platform": {"catalog/entry", "catalog", "archive", "archive/store", "archive/disk", "crypto", "pipeline", "pipeline/fetch", "pipeline/backup",
		"pipeline/restore", "pipeline/check", "pipeline/source", "pipeline/target", "pipeline/database"}, // made of other flows
	"cmd/internal":  {"archive", "archive/store", "catalog", "catalog/entry", "crypto", "archive/disk", "pipeline"},
	"cmd/packstone": {"archive", "archive/store", "catalog", "catalog/entry", "crypto", "pipeline", "cmd/internal"},
}

// seams are folders whose own package others may import, but not the adapters below it: those are
// for cmd/internal/config alone.
var seams = []string{"archive/store", "pipeline/source", "pipeline/target", "pipeline/database"}

// shared are packages below a seam that are no adapters.
var shared = []string{"archive/store/retry", "archive/store/limit", "archive/store/count", "archive/store/inflight", "archive/store/internal", "archive/store/s3/bucket",
	"pipeline/source/exclude", "pipeline/source/distant", "pipeline/target/distant", "pipeline/database/convert", "pipeline/database/ddl", "pipeline/database/expr", "pipeline/database/rowdiff", "pipeline/database/rows",
	"pipeline/database/sqlengine", "pipeline/database/sqltext", "pipeline/database/scratch"}

// builtOn are adapters that are made of another one: the settings of a platform are a row of
// directory trees.
var builtOn = map[string]string{"pipeline/source/settings": "pipeline/source/files"}

// vague are names that say nothing of what a package is for.
var vague = []string{"util", "utils", "common", "types", "models", "helpers", "misc", "base", "shared"}

// topLevel is what may stand at the root of the module.
var topLevel = []string{"cmd", "pipeline", "chunker", "archive", "crypto", "catalog", "docs", "tools", "go.mod", "go.sum",
	"docker-compose.yml", "Dockerfile", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "staticcheck.conf"}

// goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath string
	Name       string
	Imports    []string
}

func TestImportsPointDownwards(t *testing.T) {
	for _, violation := range violations(listPackages(t)) {
		t.Error(violation)
	}
}

func TestTheRuleOfImportsCatchesEachKindOfViolation(t *testing.T) {
	tests := []struct{ from, to string }{
		{"chunker", "crypto"},
		{"crypto", "archive"},
		{"crypto", "archive/disk"},
		{"archive/disk", "catalog/entry"},
		{"archive", "catalog"},
		{"archive", "catalog/entry"},
		{"archive", "archive/store/localdir"},
		{"archive/store", "archive"},
		{"archive/store/localdir", "archive/store/s3"},
		{"archive/store/localdir", "crypto"},
		{"pipeline/backup", "archive/store/storetest"},
		{"catalog", "pipeline"},
		{"catalog/entry", "crypto"},
		{"catalog/tree", "pipeline/source"},
		{"pipeline", "pipeline/backup"},
		{"pipeline/backup", "pipeline/restore"},
		{"pipeline/restore", "pipeline/check"},
		{"pipeline/check", "pipeline/backup"},
		{"pipeline/copy", "pipeline/restore"},
		{"pipeline/backup", "pipeline/copy"},
		{"pipeline/browse", "pipeline/restore"},
		{"pipeline/fit", "pipeline/backup"},
		{"pipeline/fetch", "pipeline/restore"},
		{"pipeline/restore", "pipeline/platform"},
		{"pipeline/platform", "pipeline/copy"},
		{"pipeline/platform", "pipeline/database/postgres"},
		{"pipeline/platform/drill", "pipeline/source/files"},
		{"pipeline/newflow", "catalog"},
		{"pipeline/restore", "pipeline/platform/drill"},
		{"pipeline/platform/drill", "pipeline/target/directory"},
		{"pipeline/backup", "pipeline/source/files"},
		{"pipeline/backup", "pipeline/target"},
		{"pipeline/check", "archive/store/s3"},
		{"pipeline/remote/s3", "archive/store/s3"},
		{"pipeline/remote/s3", "archive"},
		{"archive/store/s3/bucket", "pipeline/remote/s3"},
		{"pipeline/backup", "cmd/internal/config"},
		{"pipeline/source", "catalog"},
		{"pipeline/source/files", "pipeline"},
		{"pipeline/source/files", "pipeline/backup"},
		{"pipeline/source/files", "pipeline/target"},
		{"pipeline/source/files", "pipeline/source/command"},
		{"pipeline/database/sqlite", "pipeline/database/postgres"},
		{"pipeline/database", "catalog/entry"},
		{"cmd/internal/output", "cmd/packstone"},
		{"cmd/internal/output", "pipeline/target/directory"},
		{"cmd/packstone", "archive/store/s3"},
		{"cmd/packstone", "pipeline/source/files"},
		{"cmd/packstone", "pipeline/target/directory"},
		{"cmd/packstone", "pipeline/database/sqlite"},
		{"cmd/packstone", "pipeline/remote/sftp"},
		{"newfolder", "crypto"},
	}
	for _, test := range tests {
		fabricated := []goPackage{{ImportPath: module + test.from, Name: "x", Imports: []string{"fmt", module + test.to}}}
		if len(violations(fabricated)) == 0 {
			t.Errorf("%s may import %s", test.from, test.to)
		}
	}
	for _, name := range vague {
		if len(violations([]goPackage{{ImportPath: module + "archive/" + name, Name: name}})) == 0 {
			t.Errorf("a package may be named %s", name)
		}
	}
	if len(violations([]goPackage{{ImportPath: strings.TrimSuffix(module, "/"), Name: "packstone"}})) == 0 {
		t.Error("code may lie at the root")
	}
}

func TestTheRuleOfImportsAllowsTheDesign(t *testing.T) {
	for _, allowed := range []struct{ from, to string }{
		{"archive", "archive/store"},
		{"archive/store/s3", "archive/store/s3/bucket"},
		{"pipeline/remote/s3", "archive/store/s3/bucket"},
		{"catalog", "catalog/tree"},
		{"pipeline/source/files", "pipeline/source"},
		{"pipeline/source/database", "pipeline/database"},
		{"pipeline/target/sftp", "pipeline/remote/sftp"},
		{"pipeline/target/sftp", "pipeline/target/distant"},
		{"pipeline/backup", "catalog"},
		{"pipeline/check", "pipeline/fetch"},
		{"pipeline/restore", "pipeline"},
		{"pipeline/platform", "pipeline/backup"},
		{"pipeline/platform", "pipeline/restore"},
		{"pipeline/platform/drill", "pipeline/platform"},
		{"pipeline/platform/drill", "pipeline/restore"},
		{"pipeline/platform/drill", "pipeline/database/scratch"},
		{"cmd/internal/config", "archive/store/s3"},
		{"cmd/internal/config", "pipeline/remote/sftp"},
		{"cmd/packstone", "cmd/internal/config"},
		{"cmd/packstone", "pipeline/restore"},
		{"cmd/packstone", "pipeline/source"},
		{"cmd/packstone", "archive/store/count"},
	} {
		fabricated := []goPackage{{ImportPath: module + allowed.from, Name: "x", Imports: []string{module + allowed.to}}}
		if found := violations(fabricated); len(found) > 0 {
			t.Error(found)
		}
	}
}

func TestNothingStrangeStandsAtTheRoot(t *testing.T) {
	list := exec.Command("git", "ls-files")
	list.Dir = moduleRoot(t)
	tracked, err := list.Output()
	if err != nil {
		t.Skipf("not a checkout: %v", err)
	}
	found := map[string]bool{}
	for file := range strings.Lines(string(tracked)) {
		top, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		found[top] = true
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s stands at the root of the module; nothing does but %s", name, strings.Join(topLevel, ", "))
		}
	}
}

// listPackages lists all packages of the module without their tests.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Imports", "./...")
	list.Dir = moduleRoot(t)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}

// violations tells where packages break the rules of the layout.
func violations(packages []goPackage) []string {
	var found []string
	for _, p := range packages {
		own, below := strings.CutPrefix(p.ImportPath, module)
		rule, ruled := ruleOf(own)
		switch {
		case !below:
			found = append(found, fmt.Sprintf("%s: there is no code at the root", p.ImportPath))
			continue
		case !ruled:
			found = append(found, fmt.Sprintf("%s: this folder is not part of the layout", own))
			continue
		case slices.Contains(vague, p.Name):
			found = append(found, fmt.Sprintf("%s: the name says nothing of what the package is for", own))
		}
		for _, path := range p.Imports {
			if imported, ours := strings.CutPrefix(path, module); ours && !allowed(own, rule, imported) {
				found = append(found, fmt.Sprintf("%s imports %s, which does not lie below it", own, imported))
			}
		}
	}
	return found
}

// allowed says whether the package own, under the rule of a folder, may import another of ours.
func allowed(own, rule, imported string) bool {
	if isTest(own) {
		return true
	}
	if strings.HasPrefix(own, "cmd/") {
		if !within(own, "cmd/internal/config") && (adapterOf(imported) != "" || within(imported, "pipeline/remote")) {
			return false // adapters are wired in one place
		}
		return slices.ContainsFunc(append(mayImport[rule], rule), func(folder string) bool { return within(imported, folder) })
	}
	if adapter := adapterOf(imported); adapter != "" && adapter != adapterOf(own) && adapter != builtOn[adapterOf(own)] {
		return false
	}
	if isTest(imported) {
		return false
	}
	importedRule, _ := ruleOf(imported)
	return importedRule == rule || slices.Contains(mayImport[rule], importedRule)
}

// adapterOf returns the adapter that a package is or belongs to, such as pipeline/source/files,
// empty if it is none.
func adapterOf(path string) string {
	if isTest(path) || slices.ContainsFunc(shared, func(s string) bool { return within(path, s) }) {
		return ""
	}
	for _, seam := range seams {
		if rest, below := strings.CutPrefix(path, seam+"/"); below {
			name, _, _ := strings.Cut(rest, "/")
			return seam + "/" + name
		}
	}
	return ""
}

// isTest tells a package that only tests import: a conformance suite, a server for tests, or what
// lies below one.
func isTest(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

// ruleOf finds the longest folder with a rule that holds a package.
func ruleOf(path string) (rule string, found bool) {
	for folder := range mayImport {
		if within(path, folder) && len(folder) > len(rule) {
			rule, found = folder, true
		}
	}
	return rule, found
}

func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

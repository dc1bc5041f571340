package database_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// declaredCodes are the constants of codes.go: what each says, by its code.
func declaredCodes(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		literal, ok := v.Values[0].(*ast.BasicLit)
		if !ok || len(v.Names) != 1 {
			t.Fatalf("%v is no plain constant", v.Names)
		}
		code, _ := strconv.Unquote(literal.Value)
		said := strings.TrimSpace(v.Comment.Text())
		if codes[code] != "" || said == "" {
			t.Errorf("%s is %q and %q", code, codes[code], said)
		}
		codes[code] = said
		return true
	})
	return codes
}

func TestEveryCodeHasOneMeaningAndIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/databases.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(DB\\d+)` \\| (.*) \\|$").FindAllStringSubmatch(string(docs), -1) {
		listed[row[1]] = row[2]
	}
	codes := declaredCodes(t)
	for code, said := range codes {
		if listed[code] != said {
			t.Errorf("docs/databases.md says %q of %s, want %q", listed[code], code, said)
		}
	}
	if len(listed) != len(codes) {
		t.Errorf("docs/databases.md lists %d codes, want %d", len(listed), len(codes))
	}
}

func TestCodesAreNamedByTheirConstants(t *testing.T) {
	code := regexp.MustCompile(`"DB\d{3}"`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "codes.go" {
			return err
		}
		text, err := os.ReadFile(path)
		if found := code.Find(text); found != nil {
			t.Errorf("%s spells %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// longestFunction is the number of lines, from its first to its last, that a function may have.
// Most have less than ten.
const longestFunction = 80

func TestFunctionsStayShort(t *testing.T) {
	eachFile(t, func(name string, fset *token.FileSet, file *ast.File) {
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			from, to := fset.Position(function.Pos()), fset.Position(function.End())
			if lines := to.Line - from.Line + 1; lines > longestFunction {
				t.Errorf("%s:%d: %s has %d lines, more than %d: look for the stage that wants a name", name, from.Line, function.Name.Name, lines, longestFunction)
			}
		}
	})
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	described := map[string]bool{}
	eachFile(t, func(name string, _ *token.FileSet, file *ast.File) {
		folder := filepath.Dir(name)
		described[folder] = described[folder] || file.Doc != nil
	})
	for folder, ok := range described {
		if !ok {
			t.Errorf("%s: no file begins with a comment on the package", folder)
		}
	}
}

// eachFile parses the module's Go files, tests and generated ones excepted.
func eachFile(t *testing.T, visit func(name string, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	root := moduleRoot(t)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path != root && (strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") || e.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err == nil && !ast.IsGenerated(file) {
			visit(name, fset, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

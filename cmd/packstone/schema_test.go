package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestEveryMessageHasASchema finds what verbs print as JSON, and looks for it in the schema.
func TestEveryMessageHasASchema(t *testing.T) {
	seen := 0
	for _, p := range typedPackages(t, "./cmd/...") {
		for _, file := range p.files {
			ast.Inspect(file, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok {
					return true
				}
				what, err := p.undescribed(call)
				if what != "" {
					seen++
				}
				if err != nil {
					t.Errorf("%s: %v", p.fset.Position(call.Pos()), err)
				}
				return true
			})
		}
	}
	if seen < 60 {
		t.Errorf("found only %d places that print JSON", seen)
	}
}

// typedPackage is a package of ours with the types of its expressions.
type typedPackage struct {
	fset  *token.FileSet
	files []*ast.File
	types.Info
}

// undescribed fails if the schema lacks what a call prints. It returns "" for a call that prints
// nothing as JSON.
func (p *typedPackage) undescribed(call *ast.CallExpr) (what string, err error) {
	what = p.callee(call)
	switch what {
	case "(*output.Printer).Message", "(*output.Printer).Row":
		kind := p.Types[call.Args[0]].Value
		if kind == nil {
			return what, errors.New("the type of the message is computed: spell it, so that the schema can be compared")
		}
		return what, p.isOneOf(call.Args[1], map[string]any{"": messages[constant.StringVal(kind)]}, "message "+kind.String())
	case "(*output.Printer).Summary":
		return what, p.isOneOf(call.Args[0], summaries, "summary")
	case "output.List":
		return what, p.isOneOf(call.Args[1], lists, "list")
	case "(*output.Rows).Add":
		return what, p.isOneOf(call.Args[0], lists, "list")
	}
	return "", nil
}

// callee returns the name of the function of package output that is called, else "".
func (p *typedPackage) callee(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	function, ok := p.Uses[selector.Sel].(*types.Func)
	if !ok || function.Pkg() == nil || function.Pkg().Path() != module+"cmd/internal/output" {
		return ""
	}
	return strings.ReplaceAll(function.Origin().FullName(), module+"cmd/internal/", "")
}

// isOneOf fails unless the schema has messages of the argument's type, or of its elements'.
func (p *typedPackage) isOneOf(argument ast.Expr, described map[string]any, what string) error {
	given := p.TypeOf(argument)
	if pointer, ok := given.(*types.Pointer); ok {
		given = pointer.Elem()
	}
	if slice, ok := given.(*types.Slice); ok {
		given = slice.Elem()
	}
	for _, message := range described {
		if message == nil {
			continue
		}
		if is := reflect.TypeOf(message); given.String() == is.PkgPath()+"."+is.Name() {
			return nil
		}
	}
	return fmt.Errorf("schema.go has no %s of type %s", what, given)
}

// typedPackages reads packages of ours that use package output, with their types.
func typedPackages(t *testing.T, pattern string) (all []*typedPackage) {
	t.Helper()
	type listed struct {
		ImportPath, Dir, Export string
		GoFiles, Imports        []string
		DepOnly                 bool
	}
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Imports,DepOnly", pattern)
	list.Dir, list.Stderr = moduleRoot(t), os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports, ours := map[string]string{}, []listed{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var l listed
		if err := decoder.Decode(&l); err != nil {
			t.Fatal(err)
		}
		exports[l.ImportPath] = l.Export
		if !l.DepOnly && strings.Contains(strings.Join(l.Imports, " ")+" ", module+"cmd/internal/output ") {
			ours = append(ours, l)
		}
	}
	fset := token.NewFileSet()
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	imports := importer.ForCompiler(fset, "gc", lookup)
	for _, l := range ours {
		p := &typedPackage{fset: fset, Info: types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
		for _, name := range l.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			p.files = append(p.files, file)
		}
		if _, err := (&types.Config{Importer: imports}).Check(l.ImportPath, fset, p.files, &p.Info); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

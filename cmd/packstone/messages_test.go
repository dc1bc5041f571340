package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// messagesFile is every message that packstone can print, to be read as a page. UPDATE_MESSAGES=1
// writes it anew.
const messagesFile = "testdata/messages.txt"

// TestEveryMessageIsOnThePage keeps the page complete, so that whoever changes a message sees it
// among its neighbours.
func TestEveryMessageIsOnThePage(t *testing.T) {
	page := messagesPage(t)
	if os.Getenv("UPDATE_MESSAGES") != "" {
		if err := os.WriteFile(messagesFile, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(messagesFile)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(kept), "\n"), strings.Split(page, "\n")
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Errorf("%s lacks %q: UPDATE_MESSAGES=1 writes it anew", messagesFile, line)
		}
	}
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Errorf("%s has %q, which the program does not say: UPDATE_MESSAGES=1 writes it anew", messagesFile, line)
		}
	}
}

// messagesPage lists messages by package, each once.
func messagesPage(t *testing.T) string {
	messages := map[string]map[string]bool{}
	eachFile(t, func(name string, _ *token.FileSet, file *ast.File) {
		folder := filepath.ToSlash(filepath.Dir(name))
		if strings.HasPrefix(folder, "tools") || strings.HasSuffix(folder, "test") || strings.Contains(folder, "test/") {
			return
		}
		if messages[folder] == nil {
			messages[folder] = map[string]bool{}
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				collectMessages(call, messages[folder])
			}
			return true
		})
	})
	var page strings.Builder
	for _, folder := range slices.Sorted(maps.Keys(messages)) {
		if len(messages[folder]) == 0 {
			continue
		}
		page.WriteString("# " + folder + "\n")
		// By the text without its placeholders, so that what is alike stands together.
		for _, message := range slices.SortedFunc(maps.Keys(messages[folder]), func(a, b string) int {
			return cmp.Or(cmp.Compare(bare(a), bare(b)), cmp.Compare(a, b))
		}) {
			page.WriteString(message + "\n")
		}
		page.WriteString("\n")
	}
	return page.String()
}

var (
	speaking   = regexp.MustCompile(`(?i)^(errorf|new|usage|exitwith|warn|warnof|note|line|problem|problemat|problemf|misuse|refuse|say|sprintf|fprintf|appendf|unusable|wrong|malformed|writestring|append|with)$`)
	prose      = regexp.MustCompile(`[a-z]{2,}[,:;]? ([a-z%]|[A-Z]?[a-z]+ )`)
	statement  = regexp.MustCompile(`\b(SELECT|INSERT|CREATE|ALTER|DROP|UPDATE|DELETE|SET|WHERE|FROM|COMMENT|GRANT|BEGIN|COALESCE|VALUES|TABLE)\b`)
	directives = regexp.MustCompile(`%[-+# 0-9.*]*[a-zA-Z]|\W`)
)

func bare(message string) string { return strings.ToLower(directives.ReplaceAllString(message, "")) }

// collectMessages adds the texts among the arguments of a call that speaks.
func collectMessages(call *ast.CallExpr, into map[string]bool) {
	if !speaking.MatchString(nameOf(call.Fun)) {
		return
	}
	for _, argument := range call.Args {
		ast.Inspect(argument, func(node ast.Node) bool {
			if _, nested := node.(*ast.CallExpr); nested {
				return false
			}
			text := joined(node)
			if prose.MatchString(text) && !statement.MatchString(text) {
				into[strconv.Quote(text)[1:len(strconv.Quote(text))-1]] = true
			}
			return text == ""
		})
	}
}

// joined is the text of a literal, or of several that are added to each other.
func joined(node ast.Node) string {
	switch n := node.(type) {
	case *ast.BasicLit:
		if n.Kind == token.STRING {
			text, _ := strconv.Unquote(n.Value)
			return text
		}
	case *ast.BinaryExpr:
		return joined(n.X) + joined(n.Y)
	}
	return ""
}

func nameOf(function ast.Expr) string {
	switch f := function.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

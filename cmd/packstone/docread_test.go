package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docBlock is a block of code of a page.
type docBlock struct {
	line   int      // where it begins
	kind   string   // blockCommands, or the language of a fence, such as "yaml"
	lines  []string // without indentation
	notRun string   // why its commands are not run, from <!-- not run: REASON --> directly before it
	before string   // the paragraph before it
}

// docCommand is what one types before Enter; it has several lines where they end with a backslash,
// or with a here-document.
type docCommand struct {
	line int
	text string
}

// docSpan is code within a sentence, or within a cell of a table: 1 is the first.
type docSpan struct {
	docCommand
	cell int
}

// docPage is a page in Markdown, as far as it says what to type.
type docPage struct {
	name   string // from the module's root, with slashes
	blocks []docBlock
	prose  []docSpan // code within sentences and tables, such as `packstone check`
}

// blockCommands is the kind of blocks that are indented, and of fences called sh or console.
const blockCommands = "commands"

// docReader reads a page line by line.
type docReader struct {
	page   docPage
	inside *docBlock // the block that is open
	fence  string    // the indentation of the open fence and its first backticks; empty: the block is indented
	indent int       // of the open indented block
	list   int       // how far the text of the innermost list is indented
	blank  bool      // the line before is blank
	notRun string
	text   []string // the paragraph that is open
	before string   // the last paragraph that has ended
	from   int      // where text begins
}

var (
	fenceLine  = regexp.MustCompile("^( *)(```+)([a-z]*)$")
	notRunLine = regexp.MustCompile(`^ *<!-- not run: (.+) -->$`)
	listLine   = regexp.MustCompile(`^ *([-*]|[0-9]+\.) +`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
)

// readDoc reads a page. Its name is only said.
func readDoc(name, text string) docPage {
	r := &docReader{page: docPage{name: name}, blank: true}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		r.read(i+1, line)
	}
	r.endBlock()
	r.endParagraph()
	return r.page
}

func (r *docReader) read(n int, line string) {
	if r.inFence(line) || r.inIndented(line) {
		return
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if opening := fenceLine.FindStringSubmatch(line); opening != nil {
		r.begin(n+1, fenceKind(opening[3]))
		r.fence = opening[1] + opening[2]
		return
	}
	if line != "" && indent < r.list && r.blank {
		r.list = 0
	}
	if r.blank && line != "" && indent >= r.list+4 && len(r.text) == 0 {
		r.begin(n, blockCommands)
		r.indent = r.list + 4
		r.inside.lines = append(r.inside.lines, line[r.indent:])
		return
	}
	r.readText(n, line)
}

// inFence takes a line of an open fence.
func (r *docReader) inFence(line string) bool {
	if r.inside == nil || r.fence == "" {
		return false
	}
	if line == r.fence {
		r.endBlock()
		return true
	}
	indent := r.fence[:strings.Index(r.fence, "`")]
	r.inside.lines = append(r.inside.lines, strings.TrimPrefix(line, indent))
	return true
}

// inIndented takes a line of an open indented block. A blank line may be its end, or be within it.
func (r *docReader) inIndented(line string) bool {
	if r.inside == nil {
		return false
	}
	if strings.TrimSpace(line) == "" {
		r.inside.lines, r.blank = append(r.inside.lines, ""), true
		return true
	}
	if strings.HasPrefix(line, strings.Repeat(" ", r.indent)) {
		r.inside.lines = append(r.inside.lines, line[r.indent:])
		return true
	}
	r.endBlock()
	return false
}

// readText takes a line of a paragraph, a list or a table.
func (r *docReader) readText(n int, line string) {
	r.blank = strings.TrimSpace(line) == ""
	if r.blank {
		r.endParagraph()
		return
	}
	if reason := notRunLine.FindStringSubmatch(line); reason != nil {
		r.endParagraph()
		r.notRun = reason[1]
		return
	}
	r.notRun = ""
	if marker := listLine.FindString(line); marker != "" {
		r.endParagraph()
		r.list = len(marker)
	}
	if len(r.text) == 0 {
		r.from = n
	}
	r.text = append(r.text, line)
}

func (r *docReader) endParagraph() {
	if len(r.text) == 0 {
		return
	}
	r.before = strings.Join(r.text, "\n")
	for _, span := range codeSpan.FindAllStringSubmatchIndex(r.before, -1) {
		ahead := r.before[:span[0]]
		code := docCommand{r.from + strings.Count(ahead, "\n"), strings.Join(strings.Fields(r.before[span[2]:span[3]]), " ")}
		r.page.prose = append(r.page.prose, docSpan{code, cellAt(ahead[strings.LastIndex(ahead, "\n")+1:])})
	}
	r.text = nil
}

// cellAt is the cell that comes after the beginning of a line; 0 outside a table.
func cellAt(line string) int {
	if !strings.HasPrefix(line, "|") {
		return 0
	}
	return strings.Count(codeSpan.ReplaceAllString(line, ""), "|")
}

func (r *docReader) begin(n int, kind string) {
	r.endParagraph()
	r.inside, r.fence = &docBlock{line: n, kind: kind, notRun: r.notRun, before: r.before}, ""
	r.notRun = ""
}

func (r *docReader) endBlock() {
	if r.inside == nil {
		return
	}
	for n := len(r.inside.lines); n > 0 && r.inside.lines[n-1] == ""; n-- {
		r.inside.lines = r.inside.lines[:n-1]
	}
	if r.inside.kind == blockCommands && len(r.inside.lines) > 0 && strings.HasPrefix(r.inside.lines[0], "#!") {
		r.inside.kind = "script"
	}
	r.page.blocks = append(r.page.blocks, *r.inside)
	r.inside, r.blank = nil, true
}

func fenceKind(language string) string {
	switch language {
	case "sh", "console":
		return blockCommands
	case "":
		return "text"
	}
	return language
}

// commands are what a block says to type, without prompts and without what is printed. Where any
// line has a prompt, the lines without one are output.
func (b docBlock) commands() (out []docCommand) {
	if b.kind != blockCommands {
		return nil
	}
	prompts := slices.ContainsFunc(b.lines, func(line string) bool { return strings.HasPrefix(line, "$ ") })
	for i := 0; i < len(b.lines); i++ {
		text, prompted := strings.CutPrefix(b.lines[i], "$ ")
		if trimmed := strings.TrimSpace(text); prompts && !prompted || trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		first, end := i, hereEnd(text)
		for i+1 < len(b.lines) && (strings.HasSuffix(text, `\`) || end != "" && b.lines[i] != end) {
			i++
			text += "\n" + b.lines[i]
		}
		out = append(out, docCommand{b.line + first, text})
	}
	return out
}

var hereDocument = regexp.MustCompile(`<<-?\s*['"]?([A-Za-z_]+)['"]?`)

// hereEnd is the word that ends the here-document of a command, if it has one.
func hereEnd(text string) string {
	if found := hereDocument.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

var settingsPath = regexp.MustCompile("`([^`\\s]+\\.yaml)`")

// settingsFile is the file that a block of settings is meant to be, which the sentence before it
// names; empty if it names none.
func (b docBlock) settingsFile() string {
	sentence := b.before[strings.LastIndex(b.before, ". ")+1:]
	if found := settingsPath.FindAllStringSubmatch(sentence, -1); b.kind == "yaml" && found != nil {
		return found[len(found)-1][1]
	}
	return ""
}

// docPages reads all pages.
func docPages(t *testing.T) (pages []docPage) {
	t.Helper()
	root := moduleRoot(t)
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	for _, name := range append(names, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, readDoc(filepath.ToSlash(rel), string(text)))
	}
	return pages
}

func TestAPageIsReadAsBlocks(t *testing.T) {
	page := readDoc("page.md", strings.Join([]string{
		"Type `packstone check", "-n` first.", "", // 1-3
		"    packstone init    # makes keys", "    # a word", "    cat >a <<END", "    x", "    END", "", "    packstone restore \\", "      latest", "", // 4-12
		"`/etc/other.yaml` is old. Write `/etc/p.yaml`:", "", "```yaml", "version: 1", "```", "", // 13-18
		"<!-- not run: it needs a bucket -->", "", "    aws s3 ls", "", // 19-22
		"- A list", "    that goes on", "", "      systemctl stop x", "", "  more", "", // 23-29
		"```console", "$ packstone ls", "a", "```", "```sh", "#!/bin/sh", "true", "```", "```", "x", "```", "", "| `a|b` | `c` |", // 30-42
	}, "\n"))
	type block struct {
		line   int
		kind   string
		notRun string
	}
	var got []block
	var commands []docCommand
	for _, b := range page.blocks {
		got, commands = append(got, block{b.line, b.kind, b.notRun}), append(commands, b.commands()...)
	}
	want := []block{{4, "commands", ""}, {16, "yaml", ""}, {21, "commands", "it needs a bucket"}, {26, "commands", ""}, {31, "commands", ""}, {35, "script", ""}, {39, "text", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("blocks: got %v, want %v", got, want)
	}
	wantCommands := []docCommand{{4, "packstone init    # makes keys"}, {6, "cat >a <<END\nx\nEND"}, {10, "packstone restore \\\n  latest"},
		{21, "aws s3 ls"}, {26, "systemctl stop x"}, {31, "packstone ls"}}
	if !slices.Equal(commands, wantCommands) {
		t.Errorf("commands: got %+v, want %+v", commands, wantCommands)
	}
	if file := page.blocks[1].settingsFile(); file != "/etc/p.yaml" {
		t.Errorf("the settings are of %q, want /etc/p.yaml", file)
	}
	wantSpans := []docSpan{{docCommand{1, "packstone check -n"}, 0}, {docCommand{13, "/etc/other.yaml"}, 0}, {docCommand{13, "/etc/p.yaml"}, 0}, {docCommand{42, "a|b"}, 1}, {docCommand{42, "c"}, 2}}
	if !slices.Equal(page.prose, wantSpans) {
		t.Errorf("prose: got %+v, want %+v", page.prose, wantSpans)
	}
}

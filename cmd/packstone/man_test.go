package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/help"
)

// UPDATE_MAN=1 writes docs/man anew, one page for each command.
func TestTheShippedManPagesSayWhatHelpSays(t *testing.T) {
	folder := filepath.Join(moduleRoot(t), "docs", "man")
	pages := map[string]string{}
	collectManPages(newRoot(newApp(process{})), pages)
	if os.Getenv("UPDATE_MAN") != "" {
		writeManPages(t, folder, pages)
	}
	shipped, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range shipped {
		if _, ok := pages[filepath.Base(file)]; !ok {
			t.Errorf("%s describes no command; remove it", file)
		}
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || string(got) != want {
			t.Errorf("docs/man/%s is behind (%v); run UPDATE_MAN=1 go test -run TestTheShippedMan ./cmd/packstone", name, err)
		}
	}
}

func writeManPages(t *testing.T, folder string, pages map[string]string) {
	t.Helper()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoTextOfAManPageIsTakenForARequest(t *testing.T) {
	for text, want := range map[string]string{
		".TH of a file":       `\&.TH of a file`,
		"'quoted' words":      `\(aqquoted\(aq words`,
		`C:\dir`:              `C:\edir`,
		"--dry-run":           `\-\-dry\-run`,
		"~/.my.cnf ^ `x`":     "\\(ti/.my.cnf \\(ha \\(gax\\(ga",
		"first\n.second\nend": "first\n\\&.second\nend",
	} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) = %q, want %q", text, got, want)
		}
	}
}

// collectManPages adds the page of a command, and those of all commands below it, by file name.
func collectManPages(cmd *cobra.Command, pages map[string]string) {
	pages[manName(cmd)+".1"] = manPage(cmd)
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			collectManPages(child, pages)
		}
	}
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the help of a command in the macros of man(7).
func manPage(cmd *cobra.Command) string {
	var page strings.Builder
	summary, _, _ := strings.Cut(cmd.Short, ". ")
	summary = strings.TrimSuffix(string(unicode.ToLower(rune(summary[0])))+summary[1:], ".")
	fmt.Fprintf(&page, ".TH %s 1 \"\" packstone \"User Commands\"\n", roff(strings.ToUpper(manName(cmd))))
	page.WriteString(".nh\n.ad l\n") // no hyphens in flags and variables, which are searched for
	fmt.Fprintf(&page, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(summary))
	fmt.Fprintf(&page, ".SH SYNOPSIS\n%s\n", manSynopsis(cmd))
	fmt.Fprintf(&page, ".SH DESCRIPTION\n%s\n", roff(cmd.Short))
	manParagraphs(&page, cmd.Long)
	manVerbs(&page, cmd)
	if cmd.HasParent() {
		manFlags(&page, "OPTIONS", help.Own(cmd))
		manGlobalFlags(&page, cmd)
	} else {
		manFlags(&page, "GLOBAL OPTIONS", cmd.PersistentFlags())
		manTopic(&page, "EXIT STATUS", help.Topic("exit-codes"))
		manTopic(&page, "ENVIRONMENT", help.Topic("environment"))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&page, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(strings.ReplaceAll(cmd.Example, "\n  ", "\n")[2:]))
	}
	manSeeAlso(&page, cmd)
	return page.String()
}

// manSynopsis sets the command in bold, and what a person puts in as it is.
func manSynopsis(cmd *cobra.Command) string {
	rest := " VERB [FLAGS]"
	if !cmd.HasAvailableSubCommands() {
		rest = " [FLAGS]" + strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())
	}
	return bold(cmd.CommandPath()) + roff(rest)
}

// manParagraphs writes a text as help.Paragraphs does: lines that are indented stay as they are.
func manParagraphs(page *strings.Builder, text string) {
	for paragraph := range strings.SplitSeq(help.Paragraphs(text, help.Width), "\n\n") {
		switch {
		case paragraph == "":
		case strings.Contains("\n"+paragraph, "\n "):
			fmt.Fprintf(page, ".PP\n.nf\n%s\n.fi\n", roff(strings.ReplaceAll("\n"+paragraph, "\n  ", "\n")[1:]))
		default:
			fmt.Fprintf(page, ".PP\n%s\n", roff(paragraph))
		}
	}
}

// manVerbs lists the commands below a command: the root's by what they are for.
func manVerbs(page *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	page.WriteString(".SH VERBS\n")
	for _, topic := range cmd.Groups() {
		fmt.Fprintf(page, ".SS %s\n", roff(topic.Title))
		for _, verb := range help.VerbsOf(cmd, topic.ID) {
			manVerb(page, verb)
		}
	}
	for _, verb := range help.VerbsOf(cmd, "") {
		manVerb(page, verb)
	}
}

func manVerb(page *strings.Builder, verb *cobra.Command) {
	if verb.IsAvailableCommand() {
		fmt.Fprintf(page, ".TP\n%s(1)\n%s\n", bold(manName(verb)), roff(verb.Short))
	}
}

func manFlags(page *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(page, ".SH %s\n", title)
	flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			typed, meaning := help.Typed(flag)
			fmt.Fprintf(page, ".TP\n%s\n%s\n", bold(strings.TrimSpace(typed)), roff(meaning))
		}
	})
}

// manGlobalFlags names the global flags that a command honours. The root's page explains them.
func manGlobalFlags(page *strings.Builder, cmd *cobra.Command) {
	var names []string
	help.Global(cmd).VisitAll(func(flag *pflag.Flag) {
		names = append(names, bold("--"+flag.Name))
	})
	if len(names) > 0 {
		fmt.Fprintf(page, ".SH GLOBAL OPTIONS\n%s.\n%s(1) explains them.\n", strings.Join(names, ",\n"), bold("packstone"))
	}
}

// manTopic turns a text of packstone help into a list. A line that is indented is a term and, two
// spaces or more behind it, what it means; another line is a heading, or a sentence.
func manTopic(page *strings.Builder, title, text string) {
	fmt.Fprintf(page, ".SH %s\n", title)
	for line := range strings.Lines(text) {
		term, meaning, _ := strings.Cut(strings.TrimSpace(line), "  ")
		switch {
		case term == "":
		case strings.HasPrefix(line, " "):
			fmt.Fprintf(page, ".TP\n%s\n%s\n", bold(term), roff(strings.TrimSpace(meaning)))
		case strings.HasSuffix(term, "."):
			fmt.Fprintln(page, roff(term))
		default:
			fmt.Fprintf(page, ".SS %s\n", roff(term))
		}
	}
}

// manSeeAlso names the pages of the command above and of those below.
func manSeeAlso(page *strings.Builder, cmd *cobra.Command) {
	var others []string
	if cmd.HasParent() {
		others = append(others, bold(manName(cmd.Parent()))+"(1)")
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			others = append(others, bold(manName(child))+"(1)")
		}
	}
	fmt.Fprintf(page, ".SH SEE ALSO\n%s\n", strings.Join(others, ",\n"))
}

func bold(text string) string { return `\fB` + roff(text) + `\fR` }

// roff makes a text stand in a page as it is: no character of it is an escape, and no line of it a
// request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", `\[u2026]`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

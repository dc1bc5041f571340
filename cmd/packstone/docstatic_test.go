package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/config"
)

// TestThePagesNameOnlyWhatExists compares every command and every block of settings of every page,
// whether it is run by TestPages or not, with the verbs, flags and settings of the program.
func TestThePagesNameOnlyWhatExists(t *testing.T) {
	commands, spans, settings := 0, 0, 0
	for _, page := range docPages(t) {
		for _, block := range page.blocks {
			for _, command := range block.commands() {
				commands++
				if err := checkCommand(command.text); err != nil {
					t.Errorf("%s:%d: %v", page.name, command.line, err)
				}
			}
			for i, line := range block.lines {
				if err := checkServiceLine(block.kind, line); err != nil {
					t.Errorf("%s:%d: %v", page.name, block.line+i, err)
				}
			}
			if block.kind == "yaml" {
				settings++
				if err := checkSettings(strings.Join(block.lines, "\n") + "\n"); err != nil {
					t.Errorf("%s:%d: %v", page.name, block.line, err)
				}
			}
		}
		for _, span := range page.prose {
			for _, call := range callsWithin(page, span) {
				spans++
				if _, err := checkNames(call); err != nil {
					t.Errorf("%s:%d: `%s`: %v", page.name, span.line, span.text, err)
				}
			}
		}
	}
	t.Logf("%d commands, %d calls within sentences and %d blocks of settings", commands, spans, settings)
	if commands < 100 || spans < 100 || settings < 15 {
		t.Error("the pages have more than that: the reader does not see them")
	}
}

var flagWord = regexp.MustCompile(`^(--[a-z].*|-[A-Za-z])$`)

// callsWithin finds calls of packstone in a sentence or a table, also without the program's name, as
// in "forget --prune". The first column of pages for those who know another program is about that.
func callsWithin(page docPage, span docSpan) [][]string {
	words := strings.Fields(span.text)
	if !isVerb(words[0]) || !slices.ContainsFunc(words, flagWord.MatchString) {
		return packstoneCalls(span.text)
	}
	if strings.HasPrefix(page.name, "docs/for-") && span.cell == 1 {
		return nil
	}
	return [][]string{words}
}

// programs are what pages call beside packstone. A block that is indented and begins with another
// word is most likely no command: a listing, say, stands in a fence called text.
var programs = strings.Fields("age age-keygen apt-get aws cat cd chmod chown cp createdb curl docker dropdb echo export find git go gpg grep impdp install jq kubectl ln ls make mariadb " +
	"mariadb-dump mkdir mount mv openssl pg_restore pg_dump psql python3 rclone restic rm rsync sed set sh sha256sum sqlite3 ssh ssh-keygen sudo systemctl systemd-creds tar tee test timeout trap " +
	"touch umount unset zstd . source .bin/measure .bin/benchstat airflow superset mlflow")

// checkCommand tells what is wrong with a command of a page.
func checkCommand(text string) error {
	parts := splitShell(text)
	if len(parts) == 0 {
		return fmt.Errorf("%q is no command", text)
	}
	for _, words := range parts {
		word := commandWord(words)
		if word != "" && !isPackstone(word) && !slices.Contains(programs, word) {
			return fmt.Errorf("%q begins with %s, which no other page calls: a block that holds no commands stands in a fence called text", text, word)
		}
		if word == "make" {
			if err := checkMake(words[1:]); err != nil {
				return err
			}
		}
	}
	for _, call := range packstoneCalls(text) {
		if err := checkCall(call); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
	}
	return nil
}

// checkMake tells whether the Makefile has a target.
func checkMake(targets []string) error {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		return err
	}
	for _, target := range targets {
		if !strings.Contains("\n"+string(text), "\n"+target+":") {
			return fmt.Errorf("the Makefile has no target %s", target)
		}
	}
	return nil
}

var (
	cronTime = regexp.MustCompile(`^(@[a-z]+|\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(root\s+)?`)
	unitExec = regexp.MustCompile(`^Exec[A-Z][A-Za-z]*=[-@:+!|]*`)
)

// checkServiceLine tells what is wrong with a line of a crontab, of a unit of systemd, or of a
// script.
func checkServiceLine(kind, line string) error {
	switch kind {
	case "crontab":
		line = cronTime.ReplaceAllString(line, "")
	case "ini":
		prefix := unitExec.FindString(line)
		if prefix == "" {
			return nil
		}
		line = line[len(prefix):]
	case "script":
	default:
		return nil
	}
	for _, call := range packstoneCalls(line) {
		if err := checkCall(call); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
	}
	return nil
}

// splitShell divides a line of the shell into simple commands, and those into words without their
// quotes. What stands in $(…) comes as commands of its own. Redirections are left out.
func splitShell(text string) [][]string {
	s := &shellSplitter{rest: text}
	if end := hereEnd(text); end != "" {
		s.rest, _, _ = strings.Cut(text, "\n")
	}
	s.split()
	return s.commands
}

type shellSplitter struct {
	rest     string
	commands [][]string
	words    []string
	word     strings.Builder
	open     bool // a word has begun, be it empty
	skip     bool // the next word is the file of a redirection
}

func (s *shellSplitter) split() {
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '\\' && s.rest != "":
			s.add(strings.TrimPrefix(s.rest[:1], "\n"))
			s.rest = s.rest[1:]
		case c == '\'' || c == '"':
			s.quoted(c)
		case strings.IndexByte("$<>", c) >= 0 && strings.HasPrefix(s.rest, "("):
			s.inner()
		case c == '#' && !s.open:
			_, after, _ := strings.Cut(s.rest, "\n")
			s.rest = after
			s.endCommand()
		case c == ' ' || c == '\t':
			s.endWord()
		case c == '<' || c == '>':
			s.redirect()
		case strings.IndexByte(";&|\n(){}", c) >= 0 && !(s.open && strings.IndexByte("(){}", c) >= 0):
			s.endCommand()
		default:
			s.add(string([]byte{c}))
		}
	}
	s.endCommand()
}

func (s *shellSplitter) add(text string) {
	s.word.WriteString(text)
	s.open = s.open || text != ""
}

// quoted takes a word in quotes; within double ones there may be commands.
func (s *shellSplitter) quoted(quote byte) {
	s.open = true
	for s.rest != "" && s.rest[0] != quote {
		if quote == '"' && strings.HasPrefix(s.rest, "$(") {
			s.rest = s.rest[1:]
			s.inner()
			continue
		}
		s.add(s.rest[:1])
		s.rest = s.rest[1:]
	}
	s.rest = strings.TrimPrefix(s.rest, string(quote))
}

// inner takes what stands between ( and ).
func (s *shellSplitter) inner() {
	depth, end := 0, len(s.rest)
	for i, c := range s.rest {
		if c == '(' {
			depth++
		} else if c == ')' {
			depth--
		}
		if depth == 0 {
			end = i
			break
		}
	}
	s.commands = append(s.commands, splitShell(s.rest[1:end])...)
	s.rest = s.rest[min(end+1, len(s.rest)):]
	s.add("$()")
}

func (s *shellSplitter) redirect() {
	if word := s.word.String(); strings.Trim(word, "0123456789") == "" {
		s.word.Reset()
		s.open = false
	}
	s.endWord()
	s.rest = strings.TrimLeft(s.rest, "<>&")
	s.skip = true
}

func (s *shellSplitter) endWord() {
	if s.open && !s.skip {
		s.words = append(s.words, s.word.String())
	}
	s.skip = s.skip && !s.open
	s.word.Reset()
	s.open = false
}

func (s *shellSplitter) endCommand() {
	s.endWord()
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words, s.skip = nil, false
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// leading are words that stand before a command.
var leading = strings.Fields("sudo exec env time nice if then else elif while until do !")

// strip leaves out what stands before the command itself.
func strip(words []string) []string {
	for len(words) > 0 && (assignment.MatchString(words[0]) || slices.Contains(leading, words[0])) {
		sudo := words[0] == "sudo"
		words = words[1:]
		for sudo && len(words) > 0 && strings.HasPrefix(words[0], "-") {
			words = words[min(2, len(words)):]
		}
	}
	if len(words) > 2 && words[0] == "go" && words[1] == "run" && isPackstone(words[2]) {
		return words[2:]
	}
	return words
}

func commandWord(words []string) string {
	if words = strip(words); len(words) > 0 {
		return words[0]
	}
	return ""
}

func isPackstone(word string) bool {
	return word == "packstone" || strings.HasSuffix(word, "/packstone")
}

// packstoneCalls finds the arguments of each call of packstone in a line of the shell: as the
// command itself, behind another program such as docker, and within what sh -c is to run.
func packstoneCalls(text string) (calls [][]string) {
	for _, words := range splitShell(text) {
		words = strip(words)
		for i, word := range words {
			switch {
			case isPackstone(word) && (i == 0 || i+1 < len(words) && isVerb(words[i+1])):
				calls = append(calls, words[i+1:])
				words = nil
			case i > 0 && words[i-1] == "-c" && strings.Contains(word, " "):
				calls = append(calls, packstoneCalls(word)...)
			}
			if words == nil {
				break
			}
		}
	}
	return calls
}

func isVerb(word string) bool {
	found, _, err := newRoot(newApp(process{})).Find([]string{word})
	return err == nil && found.HasParent()
}

// checkCall tells what is wrong with a call: its names, and, unless something is left out of it,
// its values too.
func checkCall(args []string) error {
	cmd, err := checkNames(args)
	if err != nil || slices.ContainsFunc(args, isOpen) {
		return err
	}
	_, rest, err := cmd.Root().Find(args)
	if err != nil {
		return err
	}
	switch err := cmd.ParseFlags(rest); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// isOpen tells whether a word of a page stands for others.
func isOpen(word string) bool { return strings.Contains(word, "…") || word == "VERB" }

// checkNames tells whether a call names a verb that there is, and flags that this verb has.
func checkNames(args []string) (*cobra.Command, error) {
	root := newRoot(newApp(process{}))
	root.InitDefaultHelpCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return nil, err
	}
	if positional := firstPositional(rest); cmd.HasSubCommands() && positional != "" && !isOpen(positional) {
		return nil, fmt.Errorf("%s has no verb %s", cmd.CommandPath(), positional)
	}
	for _, arg := range rest {
		if arg == "--" {
			break
		}
		for _, name := range flagNames(cmd, arg) {
			if err := checkFlag(cmd, name); err != nil {
				return nil, err
			}
		}
	}
	return cmd, nil
}

func firstPositional(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// flagNames are the long names of the flags in a word; a letter that is none stands for itself.
func flagNames(cmd *cobra.Command, arg string) (names []string) {
	if long, ok := strings.CutPrefix(arg, "--"); ok {
		name, _, _ := strings.Cut(long, "=")
		return []string{name}
	}
	letters, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return nil
	}
	for i := range len(letters) {
		flag := flagsOf(cmd).ShorthandLookup(letters[i : i+1])
		if flag == nil {
			return append(names, letters[i:i+1])
		}
		names = append(names, flag.Name)
		if flag.NoOptDefVal == "" {
			break // the rest is its value
		}
	}
	return names
}

// flagsOf are all flags that a verb parses, its own and the global ones.
func flagsOf(cmd *cobra.Command) *pflag.FlagSet {
	all := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	all.AddFlagSet(cmd.LocalFlags())
	all.AddFlagSet(cmd.Root().PersistentFlags())
	return all
}

func checkFlag(cmd *cobra.Command, name string) error {
	switch {
	case isOpen(name) || name == "help":
		return nil
	case flagsOf(cmd).Lookup(name) == nil:
		return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name)
	case ownFlags(cmd).Lookup(name) == nil && globalFlagsOf(cmd).Lookup(name) == nil:
		return fmt.Errorf("%s does not use the flag %s", cmd.CommandPath(), name)
	}
	return nil
}

// foreign are keys at the top of YAML files of other programs.
var foreign = []string{"apiVersion", "services", "scrape_configs"}

// checkSettings tells what is wrong with a block of settings: a whole file must be accepted, a part
// must have only settings that there are.
func checkSettings(text string) error {
	var value map[string]any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return err
	}
	for _, key := range foreign {
		if _, ok := value[key]; ok {
			return nil
		}
	}
	if _, whole := value["version"]; whole {
		_, err := config.Parse("packstone.yaml", []byte(text), func(name string) (string, bool) { return "/srv/" + name, true })
		return err
	}
	document, err := json.Marshal(value)
	if err != nil {
		return err
	}
	part, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	schema, err := partialSchema()
	if err != nil {
		return err
	}
	return schema.Validate(part)
}

// partialSchema is the schema of settings in which nothing is required.
func partialSchema() (*jsonschema.Schema, error) {
	text, err := json.Marshal(config.Schema())
	if err != nil {
		return nil, err
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", withoutRequired(schema)); err != nil {
		return nil, err
	}
	return compiler.Compile("settings.json")
}

// withoutRequired takes "required" out of a schema, and alternatives that only say what is required.
func withoutRequired(schema any) any {
	switch schema := schema.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(schema)) {
			if _, isList := schema[key].([]any); key == "required" && isList {
				continue
			}
			if value := withoutRequired(schema[key]); !(key == "oneOf" || key == "anyOf" || key == "allOf") || !saysNothing(value) {
				out[key] = value
			}
		}
		return out
	case []any:
		out := make([]any, len(schema))
		for i := range schema {
			out[i] = withoutRequired(schema[i])
		}
		return out
	}
	return schema
}

func saysNothing(alternatives any) bool {
	return slices.ContainsFunc(asList(alternatives), func(one any) bool { return len(one.(map[string]any)) == 0 })
}

// TestTheExamplesNameOnlyWhatExists does for the files in docs/examples, for those of containers,
// and for the examples of --help, what TestThePagesNameOnlyWhatExists does for pages.
func TestTheExamplesNameOnlyWhatExists(t *testing.T) {
	root := moduleRoot(t)
	checked := map[string]int{}
	for pattern, check := range map[string]func(text string) (int, error){
		"docs/examples/*.yaml":            func(text string) (int, error) { return 1, checkSettings(text) },
		"docs/examples/systemd/*":         checkUnit,
		"docs/examples/kubernetes/*.yaml": checkContainers,
		"docker-compose.yml":              checkContainers,
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
	containerArgs    = regexp.MustCompile(`^ *(?:- )?args: \[(.+)\]`)
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

func TestCallsOfPackstoneAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"packstone check -n":                                    "[[check -n]]",
		"sudo -u backup packstone ls":                           "[[ls]]",
		"A=1 B='x y' ./packstone ls # packstone no":             "[[ls]]",
		"x=$(packstone snapshots --json | jq .) && echo":        "[[snapshots --json]]",
		"packstone prune --plan a.json && packstone prune":      "[[prune --plan a.json] [prune]]",
		"docker compose exec packstone packstone status":        "[[status]]",
		"sh -c 'packstone check; true' >out 2>&1":               "[[check]]",
		"systemctl reload packstone":                            "[]",
		"set -a; . /etc/packstone/environment; packstone run":   "[[run]]",
		"packstone restore x \\\n  --to-command -- sh -c 'a'":   "[[restore x --to-command -- sh -c a]]",
		"echo \"$(packstone version)\" | tee -a log":            "[[version]]",
		"cat >a <<END\npackstone x\nEND":                        "[]",
		"go run ./cmd/packstone backup --init .":                "[[backup --init .]]",
		"source <(packstone completion bash)":                   "[[completion bash]]",
		"until packstone status; do sleep 1; done; packstone a": "[[status] [a]]",
	} {
		if got := fmt.Sprint(packstoneCalls(text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestWhatAPageSaysWronglyIsFound(t *testing.T) {
	for _, wrong := range []string{"packstone chek", "packstone check --no-such", "packstone check -Z", "packstone key add-all", "packstone version --at 2026-01-01", "packstone check --max-duration soon",
		"packstone hold", "sudo packstone snapshots --wrong", "by-time/2026   each snapshot", "make nothing", "echo $(packstone lss)"} {
		if checkCommand(wrong) == nil {
			t.Errorf("%q is found good", wrong)
		}
	}
	for _, wrong := range []string{"sets: {a: {sourcess: [b]}}\n", "sources: {a: {type: files, command: [x]}}\n", "version: 1\nrepository: /a\nsets: {a: {sources: [b]}}\n", "job: {}\n"} {
		if checkSettings(wrong) == nil {
			t.Errorf("%q is found good", wrong)
		}
	}
	for _, good := range []string{"sets: {a: {sources: [b], drill: {timeout: 1h}}}\n", "sources: {a: {type: files, url: ftps://a/b}}\n", "version: 1\nrepository: /a\n"} {
		if err := checkSettings(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if checkServiceLine("crontab", "*/15 * * * *  root  set -a; packstone run --twice") == nil || checkServiceLine("ini", "ExecStart=-/usr/local/bin/packstone runn") == nil {
		t.Error("a wrong line of a crontab or a unit is found good")
	}
}

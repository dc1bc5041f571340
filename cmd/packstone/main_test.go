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
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/cmd/internal/help"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/program"
	"github.com/packstone/packstone/crypto"
)

// runWith runs the program in this process.
func runWith(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runThrough(t, nil, env, args...)
}

// runThrough is runWith, with something between the program and its storage.
func runThrough(t *testing.T, through func(store.Store) store.Store, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	code = run(t.Context(), process{args: args, env: machine.NewEnv(env), stdin: strings.NewReader(""), stdout: &out, stderr: &errors, through: through})
	return code, out.String(), errors.String()
}

// eachVerb visits every command that does something.
func eachVerb(cmd *cobra.Command, visit func(*cobra.Command)) {
	if cmd.HasParent() && !cmd.Hidden {
		visit(cmd)
	}
	for _, child := range cmd.Commands() {
		eachVerb(child, visit)
	}
}

func TestHelpOpensWithAPromiseAndEndsWithTwoExamples(t *testing.T) {
	eachVerb(newRoot(newApp(process{})), func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		code, text, stderr := runWith(t, nil, append(strings.Fields(name)[1:], "--help")...)
		if code != 0 || stderr != "" {
			t.Errorf("%s --help ends with %d and says %q", name, code, stderr)
		}
		promise, _, _ := strings.Cut(text, "\n")
		if promise != cmd.Short || !strings.HasSuffix(promise, ".") {
			t.Errorf("%s --help begins with %q, want one line that ends with a period", name, promise)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) > help.Width {
				t.Errorf("%s --help has a line of %d columns, more than %d: %q", name, len(line), help.Width, line)
			}
		}
		_, examples, _ := strings.Cut(text, "\nExamples:\n")
		lines := strings.Split(strings.TrimRight(examples, "\n"), "\n")
		if len(lines) != 2 {
			t.Errorf("%s --help ends with %d examples, want 2: %q", name, len(lines), examples)
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, name) {
				t.Errorf("%s --help: the example %q does not show the verb", name, line)
			}
		}
	})
}

func TestEveryGlobalFlagHoldsForAllVerbsOrIsListed(t *testing.T) {
	root := newRoot(newApp(process{}))
	for name := range flagUse {
		if root.PersistentFlags().Lookup(name) == nil {
			t.Errorf("flagUse lists --%s, which is no flag", name)
		}
	}
	for _, name := range []string{"repo", "config", "identity", "recipient", "quiet", "verbose", "dry-run", "json", "set", "path", "tag", "host", "limit-upload",
		"limit-download", "cache-dir", "memory-limit", "concurrency", "at"} {
		if root.PersistentFlags().Lookup(name) == nil {
			t.Errorf("there is no flag --%s", name)
		}
	}
}

func TestTheFirstInterruptEndsTheContext(t *testing.T) {
	var said lockedBuffer
	ctx, signals := program.Interruptible(t.Context(), &said)
	defer signals.Stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if code := exitCode(ctx, ctx.Err()); code != exitInterrupted {
		t.Errorf("exit code %d, want 130", code)
	}
}

// lockedBuffer takes writes from several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func TestSecretsComeFromAVariableOrItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env      []string
		want     string
		wantCode int
	}{
		{nil, "", 0},
		{[]string{"X=direct"}, "direct", 0},
		{[]string{"X_FILE=" + file}, "from file", 0},
		{[]string{"X=", "X_FILE=" + file}, "from file", 0},
		{[]string{"X=direct", "X_FILE=" + file}, "", 2},
		{[]string{"X_FILE=" + file + ".missing"}, "", 1},
	} {
		got, err := machine.NewEnv(test.env).OrFile(nil, "X")
		if got != test.want || exitCode(t.Context(), err) != test.wantCode {
			t.Errorf("%v: got %q, %v, want %q and exit code %d", test.env, got, err, test.want, test.wantCode)
		}
	}
}

func TestTheRepositoryIsFound(t *testing.T) {
	dir := t.TempDir()
	settings, file := filepath.Join(dir, "packstone.yaml"), filepath.Join(dir, "address")
	for name, text := range map[string]string{settings: "version: 1\nrepository: /from/settings\n", file: "/from/file\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		flag string
		env  []string
		want string
	}{
		{"", []string{"HOME=/h"}, "/h/.local/share/packstone/repository"},
		{"", []string{"HOME=/h", "PACKSTONE_CONFIG=" + settings}, "/from/settings"},
		{"", []string{"PACKSTONE_CONFIG=" + settings, "PACKSTONE_REPOSITORY_FILE=" + file}, "/from/file"},
		{"", []string{"PACKSTONE_CONFIG=" + settings, "PACKSTONE_REPOSITORY=/from/variable"}, "/from/variable"},
		{"/from/flag", []string{"PACKSTONE_CONFIG=" + settings, "PACKSTONE_REPOSITORY=/from/variable"}, "/from/flag"},
	} {
		a := newApp(process{env: machine.NewEnv(test.env)})
		a.flags.Repository = test.flag
		if got, err := a.Repository(); err != nil || got.Path != test.want {
			t.Errorf("flag %q, %v: got %+v, %v, want %s", test.flag, test.env, got, err, test.want)
		}
	}
}

func TestWithoutARepositoryTheExitCodeIs10(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		a := newApp(process{env: machine.NewEnv([]string{"PACKSTONE_REPOSITORY=" + dir})})
		_, _, err := a.OpenRepository(t.Context(), machine.MustRead)
		if code := exitCode(t.Context(), err); code != exitNoRepository {
			t.Errorf("%s: exit code %d, want 10: %v", dir, code, err)
		}
	}
}

func TestIdentitiesComeFromOnePlace(t *testing.T) {
	identity, err := crypto.GenerateIdentity(true)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(identity)
	home := t.TempDir()
	usual := filepath.Join(home, ".config/packstone/identity.txt")
	if err := os.MkdirAll(filepath.Dir(usual), 0o700); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(home, "key.txt")
	write := func(name string) {
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(elsewhere)
	for _, test := range []struct {
		name     string
		flags    []string
		env      []string
		want     int
		wantCode int
	}{
		{"none", nil, nil, 0, 0},
		{"variable", nil, []string{"PACKSTONE_IDENTITY=" + text}, 1, 0},
		{"file", nil, []string{"PACKSTONE_IDENTITY_FILE=" + elsewhere}, 1, 0},
		{"command", nil, []string{"PACKSTONE_IDENTITY_COMMAND=cat '" + elsewhere + "'", "PATH=/usr/bin:/bin"}, 1, 0},
		{"failing command", nil, []string{"PACKSTONE_IDENTITY_COMMAND=exit 7"}, 0, 12},
		{"variable and command", nil, []string{"PACKSTONE_IDENTITY=" + text, "PACKSTONE_IDENTITY_COMMAND=true"}, 0, 2},
		{"flags before all", []string{elsewhere, elsewhere}, []string{"PACKSTONE_IDENTITY=garbage"}, 2, 0},
		{"missing file", []string{elsewhere + ".missing"}, nil, 0, 12},
		{"garbage", nil, []string{"PACKSTONE_IDENTITY=garbage"}, 0, 12},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(process{env: machine.NewEnv(append(test.env, "HOME="+home)), stdin: strings.NewReader(""), stderr: new(bytes.Buffer)})
			a.flags.Identities = test.flags
			found, err := a.Identities(t.Context())
			if got := exitCode(t.Context(), err); got != test.wantCode {
				t.Fatalf("exit code %d, want %d: %v", got, test.wantCode, err)
			}
			if n := identitiesIn(found); n != test.want {
				t.Errorf("found %d identities, want %d", n, test.want)
			}
		})
	}
	write(usual)
	a := newApp(process{env: machine.NewEnv([]string{"HOME=" + home})})
	if found, err := a.Identities(t.Context()); err != nil || identitiesIn(found) != 1 {
		t.Errorf("at the usual place: found %d, %v, want 1", identitiesIn(found), err)
	}
}

func identitiesIn(f *crypto.IdentityFile) int {
	if f == nil {
		return 0
	}
	return len(f.Identities)
}

// compileSchema returns the schema of one kind of output.
func compileSchema(t *testing.T, definition string) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(schemaOfOutput())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("output.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("output.json#/$defs/" + definition)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkLines holds each line of JSON output against the schema; a slow machine adds lines of
// status, which have their own.
func checkLines(t *testing.T, lines, definition string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		definition := definition
		if strings.Contains(line, `"message_type":"status"`) {
			definition = "status"
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := compileSchema(t, definition).Validate(value); err != nil {
			t.Errorf("%s\nis not as the schema of %s says: %v", line, definition, err)
		}
	}
}

func TestMessagesAreAsTheirSchemaSays(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := output.New(output.Options{Stdout: &stdout, Stderr: &stderr, JSON: true, Verbose: 1})
	check := func(definition string) {
		t.Helper()
		lines := stdout.String() + stderr.String()
		if lines == "" {
			t.Errorf("no %s was printed", definition)
		}
		checkLines(t, lines, definition)
		stdout.Reset()
		stderr.Reset()
	}
	p.Detail(output.VerboseStatus{Action: "new", Item: "a\xff"})
	check("verbose_status")
	p.Warn(output.Warning{Message: "x"})
	check("warning")
	p.Problem("file", "read", errors.New("x"))
	check("error")
	p.Exit(3, errors.New("x"))
	check("exit_error")
	for definition, args := range map[string][]string{"version": {"version"}, "config_check": {"config", "check", "-c", "testdata/packstone.yaml"}, "exit_error": {"nonsense"}} {
		_, out, errors := runWith(t, nil, append(args, "--json")...)
		checkLines(t, out+errors, definition)
	}
}

func TestVerbsPrintWhatTheSchemaSays(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(project, "a"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		definition string
		args       []string
	}{
		{"init", []string{"init"}},
		{"summary_backup", []string{"backup", project}},
		{"summary_backup", []string{"backup", "-n", project}},
		{"list_snapshots", []string{"snapshots"}},
		{"list_ls", []string{"ls", "latest", "--recursive"}},
		{"list_ls", []string{"ls", "latest:" + project}},
		{"list_find", []string{"find", "a", "*nothing*"}},
		{"summary_diff", []string{"diff", "latest", "latest"}},
		{"summary_tag", []string{"tag", "--add", "x", "latest"}},
		{"stats", []string{"stats"}},
		{"stats", []string{"stats", "--mode", "raw-data", "latest"}},
		{"repository_status", []string{"status"}},
		{"summary_restore", []string{"restore", "latest", "--target", filepath.Join(home, "restored")}},
		{"summary_check", []string{"check", "--read-data"}},
	} {
		code, stdout, stderr := runWith(t, []string{"HOME=" + home}, append(test.args, "--json")...)
		if code != 0 || stdout == "" {
			t.Fatalf("%v ends with %d and prints %q, %q", test.args, code, stdout, stderr)
		}
		checkLines(t, stdout, test.definition)
	}
}

func TestTheShippedSchemaIsWhatTheProgramPrints(t *testing.T) {
	_, printed, _ := runWith(t, nil, "version", "--schema")
	_, settings, _ := runWith(t, nil, "config", "schema")
	for name, want := range map[string]string{"packstone.v1.json": printed, "settings.v1.json": settings} {
		name = filepath.Join(moduleRoot(t), "docs", "schema", name)
		if os.Getenv("UPDATE_SCHEMA") != "" {
			if err := os.WriteFile(name, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		shipped, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(shipped) != want {
			t.Errorf("%s is behind; run UPDATE_SCHEMA=1 go test ./cmd/packstone", name)
		}
	}
}

func TestTheSettingsReferenceNamesEverySetting(t *testing.T) {
	_, text, _ := runWith(t, nil, "config", "schema")
	var schema map[string]any
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	reference, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "settings.md"))
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	rows, environment, _ := strings.Cut(string(reference), "\n## Environment\n")
	for line := range strings.Lines(rows) {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(cell, "`")
			described[name] = true
		}
	}
	settings := map[string]bool{}
	collectSettings(schema, "", settings)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !described[name] {
			t.Errorf("docs/settings.md has no row that begins with | `%s`", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(described)) {
		if !settings[name] {
			t.Errorf("docs/settings.md describes `%s`, which is no setting", name)
		}
	}
	for _, name := range variables(t) {
		if !strings.Contains(environment, "`"+name+"`") {
			t.Errorf("docs/settings.md says nothing of the variable %s", name)
		}
	}
}

// variables lists the variables of the environment that the program names, without the _FILE twins.
func variables(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	below, err := filepath.Glob("../internal/*/*.go")
	if err != nil || len(below) == 0 {
		t.Fatal(err, below)
	}
	found := map[string]bool{}
	for _, file := range append(files, below...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range quotedVariable.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasSuffix(file, "_test.go") && !bytes.HasPrefix(text, []byte("//go:build profile")) && !strings.HasSuffix(match[1], "_COMMAND") {
				found[match[1]] = true
			}
		}
	}
	for name := range found {
		if twin, ok := strings.CutSuffix(name, "_FILE"); ok && found[twin] {
			delete(found, name)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

var quotedVariable = regexp.MustCompile(`"(PACKSTONE_[A-Z0-9_]+|NO_COLOR)"`)

// collectSettings lists the settings that a schema describes: sets.NAME.sources, and for a type of
// source files: path.
func collectSettings(schema map[string]any, path string, into map[string]bool) {
	if properties, ok := schema["properties"].(map[string]any); ok {
		prefix := path
		if kind, ok := properties["type"].(map[string]any); ok {
			prefix = kind["const"].(string) + ": "
		} else if path != "" {
			prefix += "."
		}
		for name, property := range properties {
			if path == "sources.NAME" && name == "type" {
				into["sources.NAME.type"] = true
				continue
			}
			into[prefix+name] = true
			collectSettings(property.(map[string]any), prefix+name, into)
		}
	}
	if each, ok := schema["additionalProperties"].(map[string]any); ok && each["type"] == "object" {
		collectSettings(each, path+".NAME", into)
	}
	for _, alternative := range asList(schema["oneOf"]) {
		collectSettings(alternative.(map[string]any), path, into)
	}
}

func asList(value any) []any {
	list, _ := value.([]any)
	return list
}

func TestTheExampleSettingsAreGood(t *testing.T) {
	example := filepath.Join(moduleRoot(t), "docs", "examples", "packstone.yaml")
	code, _, stderr := runWith(t, nil, "config", "check", "-c", example)
	if code != 0 {
		t.Errorf("config check ends with %d: %s", code, stderr)
	}
}

package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/pipeline/database"
)

// TestPages types what the pages say, in their order. testdata/docs has a script for each page,
// which starts the servers and makes what the page takes for granted, and knows these commands
// beside those of TestScripts:
//
//	replace OLD NEW            in commands and settings of the page
//	expect CODE COMMAND        a command that begins so ends with that exit code
//	endwhen COMMAND CONDITION  one that begins so is ended when the shell finds the condition true
//	page [until COMMAND]       types the page's commands from where the last one ended, up to the
//	                           one that begins so, or to the end; settings are written to the file
//	                           that the sentence before them names
//
// Paths of a machine, such as /srv and /etc/packstone, lie below $WORK, and so does the home
// directory, as root. Blocks that a page marks with <!-- not run: REASON --> are left out.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("types all pages")
	}
	count := &pageCount{}
	t.Cleanup(func() { count.print(t) })
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/docs",
		Setup:     func(env *testscript.Env) error { return setUpPage(env, count) },
		Cmds:      pageCommands(),
		Condition: scriptCondition,
	})
}

// TestEveryPageWithCommandsIsTyped holds that each page has its script, or says of each block why
// it is not run.
func TestEveryPageWithCommandsIsTyped(t *testing.T) {
	marked, reasons := 0, map[string]int{}
	for _, page := range docPages(t) {
		script := filepath.Join("testdata", "docs", pageScript(page.name))
		_, err := os.Stat(script)
		for _, block := range page.blocks {
			commands := block.commands()
			if block.notRun != "" {
				marked += len(commands)
				reasons[block.notRun] += len(commands)
			} else if len(commands) > 0 && err != nil {
				t.Errorf("%s:%d: there is no %s that says how to run these commands; where they can't be, mark them with <!-- not run: REASON -->", page.name, block.line, script)
			}
		}
	}
	t.Logf("%d commands are marked as not run", marked)
	for _, reason := range sortedByCount(reasons) {
		t.Logf("%4d  %s", reasons[reason], reason)
	}
}

func sortedByCount(counts map[string]int) (keys []string) {
	for key := range counts {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		if counts[keys[i]] != counts[keys[j]] {
			return counts[keys[i]] > counts[keys[j]]
		}
		return keys[i] < keys[j]
	})
	return keys
}

// pageScript is the name of a page's script.
func pageScript(page string) string {
	return strings.TrimSuffix(filepath.Base(page), ".md") + ".txt"
}

// pageCount counts what was typed.
type pageCount struct {
	mu    sync.Mutex
	pages int
	typed int
}

func (c *pageCount) add(steps []docStep, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, step := range steps {
		if step.file == "" {
			c.typed++
		}
	}
	if last {
		c.pages++
	}
}

func (c *pageCount) print(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d commands of %d pages were run", c.typed, c.pages)
}

// typist types a page.
type typist struct {
	page     docPage
	next     int // the step to come
	steps    []docStep
	replaced [][2]string
	expected []expectation
	stopped  []stopping
	count    *pageCount
}

type expectation struct {
	code    int
	command string
}

type stopping struct{ command, condition string }

// docStep is a command, or a file of settings to write.
type docStep struct {
	docCommand
	file, settings string
}

// typistKey is where a script's environment keeps its typist.
type typistKey struct{}

// setUpPage gives a page a machine of its own: root's home and the directories of a system below
// $WORK.
func setUpPage(env *testscript.Env, count *pageCount) error {
	if err := setUpScript(env); err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, "root")
	for _, dir := range []string{"root", "srv", "mnt", "tmp", "media/usb", "etc/packstone", "run/secrets", "var/lib", "var/log", "opt"} {
		if err := os.MkdirAll(filepath.Join(env.WorkDir, dir), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"} {
		env.Setenv(name, "")
	}
	env.Setenv("HOME", home)
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	page, err := findPage(env.Getenv("ROOT"), name)
	if err != nil {
		return err
	}
	typing := &typist{page: page, steps: stepsOf(page), count: count}
	env.Values[typistKey{}] = typing
	t, ok := env.T().(testing.TB)
	env.Defer(func() {
		if ok && !t.Failed() && !t.Skipped() && typing.next < len(typing.steps) {
			t.Errorf("%s:%d: %s is not run any more: the script ends before", page.name, typing.steps[typing.next].line, typing.steps[typing.next].text)
		}
	})
	return nil
}

// findPage reads the page that a script is for.
func findPage(root, name string) (docPage, error) {
	for _, page := range []string{filepath.Join("docs", name+".md"), name + ".md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err == nil {
			return readDoc(filepath.ToSlash(page), string(text)), nil
		}
		if !os.IsNotExist(err) {
			return docPage{}, err
		}
	}
	return docPage{}, fmt.Errorf("there is no page for the script %s", name)
}

func stepsOf(page docPage) (steps []docStep) {
	for _, block := range page.blocks {
		if block.notRun != "" {
			continue
		}
		if file := block.settingsFile(); file != "" {
			steps = append(steps, docStep{docCommand: docCommand{block.line, "the settings " + file}, file: file, settings: strings.Join(block.lines, "\n") + "\n"})
		}
		for _, command := range block.commands() {
			steps = append(steps, docStep{docCommand: command})
		}
	}
	return steps
}

func pageCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	commands := map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"replace": withTypist("replace OLD NEW", 2, func(d *typist, ts *testscript.TestScript, args []string) {
			d.mustHave(ts, args[0], strings.Contains)
			d.replaced = append(d.replaced, [2]string{args[0], args[1]})
		}),
		"expect": withTypist("expect CODE COMMAND", 2, func(d *typist, ts *testscript.TestScript, args []string) {
			code, err := strconv.Atoi(args[0])
			ts.Check(err)
			d.mustHave(ts, args[1], strings.HasPrefix)
			d.expected = append(d.expected, expectation{code, args[1]})
		}),
		"endwhen": withTypist("endwhen COMMAND CONDITION", 2, func(d *typist, ts *testscript.TestScript, args []string) {
			d.mustHave(ts, args[0], strings.HasPrefix)
			d.stopped = append(d.stopped, stopping{args[0], args[1]})
		}),
		"page": typePage,
	}
	for name, command := range scriptCommands {
		commands[name] = command
	}
	commands["newdb"] = newNamedDatabase
	return commands
}

// mustHave fails where nothing is left to type that a line of the script could mean.
func (d *typist) mustHave(ts *testscript.TestScript, text string, in func(text, part string) bool) {
	for _, step := range d.steps[d.next:] {
		if in(step.text, text) || in(step.settings, text) || in(step.file, text) {
			return
		}
	}
	ts.Fatalf("%s has nothing to type any more with %q", d.page.name, text)
}

func withTypist(use string, arguments int, do func(*typist, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != arguments {
			ts.Fatalf("usage: %s", use)
		}
		do(ts.Value(typistKey{}).(*typist), ts, args)
	}
}

// newNamedDatabase is newdb, and sets VAR_NAME and VAR_PORT, and what the programs of PostgreSQL
// need to find its server.
func newNamedDatabase(ts *testscript.TestScript, neg bool, args []string) {
	newDatabase(ts, neg, args)
	for _, name := range args[1:] {
		at, err := url.Parse(ts.Getenv(name))
		ts.Check(err)
		ts.Setenv(name+"_NAME", strings.TrimPrefix(at.Path, "/"))
		ts.Setenv(name+"_PORT", at.Port())
		if args[0] == database.Postgres {
			ts.Setenv("PGHOST", at.Hostname())
			ts.Setenv("PGPORT", at.Port())
			ts.Setenv("PGUSER", at.User.Username())
		}
	}
}

// typePage [until COMMAND] runs a part of the page, or what is left of it. Variables and the
// directory of the shell hold for the next part too.
func typePage(ts *testscript.TestScript, neg bool, args []string) {
	d := ts.Value(typistKey{}).(*typist)
	if neg || !(len(args) == 0 || len(args) == 2 && args[0] == "until") {
		ts.Fatalf("usage: page [until COMMAND]")
	}
	end := len(d.steps)
	if len(args) == 2 {
		for end = d.next; end < len(d.steps) && !strings.HasPrefix(d.steps[end].text, args[1]); end++ {
		}
		if end == len(d.steps) {
			ts.Fatalf("%s has no command after the last one that begins with %q", d.page.name, args[1])
		}
	}
	steps := d.steps[d.next:end]
	d.next = end
	d.count.add(steps, len(args) == 0)
	script := d.script(steps, ts.Getenv("WORK"))
	if err := ts.Exec("sh", "-ec", script); err != nil {
		ts.Fatalf("%s: %v", d.page.name, err)
	}
}

// script is what the shell runs. Each command says where it stands, and is compared with the exit
// code that is expected.
func (d *typist) script(steps []docStep, work string) string {
	var script strings.Builder
	fmt.Fprintf(&script, "WORK=%[1]s\n[ ! -e $WORK/.shell ] || . $WORK/.shell\n", work)
	for _, step := range steps {
		text := d.translate(step.text, work)
		if step.file != "" {
			file := d.translate(step.file, work)
			fmt.Fprintf(&script, "mkdir -p %s\ncat >%s <<'END_OF_SETTINGS'\n%sEND_OF_SETTINGS\n", shellQuote(filepath.Dir(file)), shellQuote(file), d.translate(step.settings, work))
			continue
		}
		fmt.Fprintf(&script, "echo; echo %s\ncode=0\n", shellQuote(fmt.Sprintf("%s:%d: %s", d.page.name, step.line, text)))
		if condition := d.stoppedWhen(step.text); condition != "" {
			fmt.Fprintf(&script, whileRunning, text, condition)
		} else {
			fmt.Fprintf(&script, "{ %s\n} || code=$?\n", text)
		}
		fmt.Fprintf(&script, "[ $code = %[1]d ] || { echo \"it ended with $code, not with %[1]d\"; exit 1; }\n", d.wanted(step.text))
	}
	script.WriteString("{ export -p; echo cd \"'$PWD'\"; } >$WORK/.shell\n")
	return script.String()
}

// whileRunning runs a command until a condition is true, and ends it then.
const whileRunning = `(exec %s
) >$WORK/.running 2>&1 & pid=$!
until %s; do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
kill $pid || true
wait $pid || code=$?
cat $WORK/.running
`

func (d *typist) wanted(command string) int {
	for _, e := range slices.Backward(d.expected) {
		if strings.HasPrefix(command, e.command) {
			return e.code
		}
	}
	return 0
}

func (d *typist) stoppedWhen(command string) string {
	for _, s := range d.stopped {
		if strings.HasPrefix(command, s.command) {
			return s.condition
		}
	}
	return ""
}

// systemPath is a path of a machine, not of an address; what stands before it comes with it.
var systemPath = regexp.MustCompile(`(?m)(^|[\s"'=:,(\[{@])(/(?:etc/packstone|srv|mnt|media|tmp|opt|run/secrets|root|home|var|usr/local/bin)\b)`)

// translate takes a text of a page to this machine. What replacements say is not translated again.
func (d *typist) translate(text, work string) string {
	var to, back []string
	for i, r := range slices.Backward(d.replaced) {
		mark := fmt.Sprintf("\x00%d\x00", i)
		to, back = append(to, r[0], mark), append(back, mark, r[1])
	}
	text = strings.NewReplacer(to...).Replace(text)
	text = systemPath.ReplaceAllString(text, "${1}"+work+"${2}")
	return strings.NewReplacer(back...).Replace(text)
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func TestPathsOfAPageLieBelowTheScriptsDirectory(t *testing.T) {
	d := &typist{replaced: [][2]string{{"s3://offsite", "s3://here"}, {"/mnt/a", "/other"}}}
	for text, want := range map[string]string{
		"packstone -r /srv/x backup /srv/files": "packstone -r /w/srv/x backup /w/srv/files",
		"sftp://u@h/srv/x s3://offsite/tmp/a":   "sftp://u@h/srv/x s3://here/tmp/a",
		"{path: /opt/a, list: [\"/tmp\"]}":      "{path: /w/opt/a, list: [\"/w/tmp\"]}",
		"A=/etc/packstone/b cat /etc/passwd":    "A=/w/etc/packstone/b cat /etc/passwd",
		"latest:/home/x /mnt/a/b /srvx":         "latest:/w/home/x /other/b /srvx",
	} {
		if got := d.translate(text, "/w"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

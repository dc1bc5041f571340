package help

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spf13/cobra"
)

func TestACommandHasTheTextOfItsFile(t *testing.T) {
	texts := fstest.MapFS{
		"long.txt":  {Data: []byte("add NAME...\nAdd names.\n\nOne line\nand more.\n\nThe second paragraph.\n\nExamples:\n  tool add a\n  tool add b\n")},
		"short.txt": {Data: []byte("list\nList names.\n\nExamples:\n  tool list\n")},
	}
	for _, test := range []struct{ file, use, short, long, example string }{
		{"long.txt", "add NAME...", "Add names.", "One line\nand more.\n\nThe second paragraph.", "  tool add a\n  tool add b"},
		{"short.txt", "list", "List names.", "", "  tool list"},
	} {
		cmd := Command(texts, test.file, nil)
		if cmd.Use != test.use || cmd.Short != test.short || cmd.Long != test.long || cmd.Example != test.example {
			t.Errorf("%s: got %q, %q, %q, %q", test.file, cmd.Use, cmd.Short, cmd.Long, cmd.Example)
		}
	}
}

func TestTopicsAreKnownByTheirNames(t *testing.T) {
	for name, part := range map[string]string{"exit-codes": "130  interrupted", "environment": "PACKSTONE_REPOSITORY"} {
		if text := Topic(name); !strings.Contains(text, part) {
			t.Errorf("topic %s does not say %q: %q", name, part, text)
		}
	}
	for _, name := range []string{"", "verbs", "../topics/exit-codes"} {
		if text := Topic(name); text != "" {
			t.Errorf("there is a topic %q: %q", name, text)
		}
	}
}

func TestWrappingKeepsIndentedLinesAndWhatBelongsTogether(t *testing.T) {
	text := "some words that do\nnot fit in\n\n  indented   as it is\nand more"
	want := "some words\nthat do not\nfit in\n\n  indented   as it is\nand more"
	if got := Paragraphs(text, 11); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := wrap(unbroken([]string{"--a FILE", "--b SIZE"}), "  ", 12), "--a FILE,\n  --b SIZE"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsMeantIsTheNearest(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// tool is a command with one verb.
func tool() (root, verb *cobra.Command) {
	root = &cobra.Command{Use: "tool", Args: UnknownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	verb = &cobra.Command{Use: "restore NAME", Short: "Restore.", Args: cobra.ExactArgs(1), Run: func(*cobra.Command, []string) {}}
	verb.Flags().Bool("verify", false, "read `it` back")
	root.PersistentFlags().String("repo", "", "the `repository`")
	root.PersistentFlags().String("host", "", "the `host`")
	verb.Annotations = map[string]string{Unused: "host"}
	root.AddCommand(verb)
	root.SetFlagErrorFunc(FlagError)
	root.SilenceErrors, root.SilenceUsage = true, true
	return root, verb
}

func TestMistakesAreToldWithWhatIsMeant(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"restor", `unknown command "restor" for tool; did you mean restore?`},
		{"xyz", `unknown command "xyz" for tool; tool --help lists them`},
		{"unlock", "packstone has no unlock: it locks nothing."},
		{"restore x --verfy", "did you mean --verify?"},
		{"restore x --repo", "--repo wants a value: --repo REPOSITORY"},
		{"restore x --verify=7", `--verify "7": want true or false, or no value at all`},
	} {
		root, _ := tool()
		root.SetArgs(strings.Fields(test.line))
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.line, err, test.want)
		}
	}
}

func TestHelpNamesTheGlobalFlagsThatAVerbTakes(t *testing.T) {
	root, verb := tool()
	var out bytes.Buffer
	root.SetOut(&out)
	Print(verb, nil)
	if text := out.String(); !strings.Contains(text, "--repo REPOSITORY") || strings.Contains(text, "--host") || !strings.Contains(text, "--verify") {
		t.Errorf("got %s", text)
	}
	if !Takes(verb, "repo") || Takes(verb, "host") {
		t.Error("the annotation does not count")
	}
}

package help

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Width is how many columns help takes at most.
const Width = 80

// flagWidth is how many columns a flag takes; what says more about a longer one begins on a line of
// its own.
const flagWidth = 27

func printFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			printFlag(w, flag)
		}
	})
}

func printFlag(w io.Writer, flag *pflag.Flag) {
	typed, meaning := Typed(flag)
	indent := strings.Repeat(" ", flagWidth+2)
	lead := fmt.Sprintf("%-*s  ", flagWidth, typed)
	if len(typed) > flagWidth {
		lead = typed + "\n" + indent
	}
	fmt.Fprintln(w, lead+wrap(meaning, indent, Width-len(indent)))
}

// Typed returns a flag as a person types it, and what it means.
func Typed(flag *pflag.Flag) (typed, meaning string) {
	name, meaning := pflag.UnquoteUsage(flag)
	typed = "      --" + flag.Name
	if flag.Shorthand != "" {
		typed = "  -" + flag.Shorthand + ", --" + flag.Name
	}
	value := strings.ToUpper(name)
	switch kind := flag.Value.Type(); {
	case kind == "bool" || kind == "count" || value == "":
	case flag.NoOptDefVal != "":
		typed += "[=" + value + "]"
	default:
		typed += " " + value
	}
	if value := strings.TrimSuffix(flag.DefValue, "0m0s"); value != "" && !unsaid[value] {
		meaning += " (default " + value + ")"
	}
	return typed, meaning
}

// unsaid are defaults that mean that a flag is not given.
var unsaid = map[string]bool{"false": true, "0": true, "0s": true, "[]": true, "off": true}

// printGlobalFlags names the global flags that a verb honours. The root's help explains them.
func printGlobalFlags(w io.Writer, cmd *cobra.Command) {
	var names []string
	Global(cmd).VisitAll(func(flag *pflag.Flag) {
		typed, _ := Typed(flag)
		names = append(names, strings.Replace(strings.TrimSpace(typed), ", --", "/--", 1))
	})
	if len(names) > 0 {
		fmt.Fprintf(w, "\nGlobal flags, which packstone --help explains:\n  %s\n", wrap(unbroken(names), "  ", Width-2))
	}
}

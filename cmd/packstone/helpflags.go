package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	helpWidth = 80 // columns of help, at most
	flagWidth = 27 // columns of a flag; what says more about a longer one begins on a line of its own
)

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
	typed, meaning := typedFlag(flag)
	indent := strings.Repeat(" ", flagWidth+2)
	lead := fmt.Sprintf("%-*s  ", flagWidth, typed)
	if len(typed) > flagWidth {
		lead = typed + "\n" + indent
	}
	fmt.Fprintln(w, lead+wrap(meaning, indent, helpWidth-len(indent)))
}

// typedFlag is a flag as a person types it, and what it means.
func typedFlag(flag *pflag.Flag) (typed, meaning string) {
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
	globalFlagsOf(cmd).VisitAll(func(flag *pflag.Flag) {
		typed, _ := typedFlag(flag)
		names = append(names, strings.Replace(strings.TrimSpace(typed), ", --", "/--", 1))
	})
	if len(names) > 0 {
		fmt.Fprintf(w, "\nGlobal flags, which packstone --help explains:\n  %s\n", wrap(unbroken(names), "  ", helpWidth-2))
	}
}

// unbroken joins words with commas, so that wrap does not part a flag from its value.
func unbroken(words []string) string {
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, " ", noBreak)
	}
	return strings.Join(words, ", ")
}

// noBreak stands for a space where wrap may not break a line. It takes one byte, as a space does.
const noBreak = "\x00"

// wrapParagraphs wraps each paragraph of a text, and leaves lines that are indented as they are.
func wrapParagraphs(text string, width int) string {
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, wrap(strings.Join(paragraph, " "), "", width))
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			end()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	end()
	return strings.Join(out, "\n")
}

// wrap breaks a text between words into lines of at most width columns; all but the first begin
// with indent. noBreak holds words together.
func wrap(text, indent string, width int) string {
	var lines []string
	line := ""
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.ReplaceAll(strings.Join(append(lines, line), "\n"+indent), noBreak, " ")
}

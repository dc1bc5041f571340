// Package help is what commands say of themselves: their texts, which are files, their help, and
// in a sentence what is wrong with a command line. It relies on cobra alone, and what it finds
// wrong is an error of the command line.
package help

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Print writes the help of a verb, at most Width columns wide: its promise first, two
// examples last.
func Print(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	fmt.Fprintln(w, wrap(cmd.Short, "", Width))
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", Paragraphs(cmd.Long, Width))
	}
	printUsageLine(w, cmd)
	if !cmd.HasParent() {
		printRootHelp(w, cmd)
		return
	}
	printVerbs(w, "Verbs", cmd.Commands())
	printFlags(w, "Flags", Own(cmd))
	printGlobalFlags(w, cmd)
	printExamples(w, cmd)
}

// printRootHelp fits what a newcomer needs on the first screen: examples, then the verbs by what
// they are for.
func printRootHelp(w io.Writer, root *cobra.Command) {
	printExamples(w, root)
	for _, topic := range root.Groups() {
		printVerbs(w, topic.Title, VerbsOf(root, topic.ID))
	}
	printFlags(w, "Global flags", root.PersistentFlags())
	fmt.Fprint(w, "\nSee also: packstone help exit-codes, packstone help environment\n")
}

// VerbsOf returns the verbs of a group below a command; "" are those of none.
func VerbsOf(root *cobra.Command, group string) (verbs []*cobra.Command) {
	for _, verb := range root.Commands() {
		if verb.GroupID == group {
			verbs = append(verbs, verb)
		}
	}
	return verbs
}

func printExamples(w io.Writer, cmd *cobra.Command) {
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
}

func printUsageLine(w io.Writer, cmd *cobra.Command) {
	line := cmd.CommandPath() + " VERB [FLAGS]"
	if !cmd.HasAvailableSubCommands() {
		line = strings.Replace(cmd.UseLine(), cmd.CommandPath(), cmd.CommandPath()+" [FLAGS]", 1)
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", wrap(line, "    ", Width-2))
}

func printVerbs(w io.Writer, title string, verbs []*cobra.Command) {
	verbs = slices.DeleteFunc(slices.Clone(verbs), func(verb *cobra.Command) bool { return !verb.IsAvailableCommand() })
	if len(verbs) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	padding := verbs[0].NamePadding()
	for _, verb := range verbs {
		indent := strings.Repeat(" ", padding+4)
		fmt.Fprintf(w, "  %-*s  %s\n", padding, verb.Name(), wrap(verb.Short, indent, Width-len(indent)))
	}
}

// Own returns the flags of the verb alone.
func Own(cmd *cobra.Command) *pflag.FlagSet {
	own := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "help" {
			own.AddFlag(flag)
		}
	})
	return own
}

// Global returns those of the global flags that the verb honours; all of them for a command that
// holds verbs.
func Global(cmd *cobra.Command) *pflag.FlagSet {
	honoured := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	cmd.Root().PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if (cmd.HasSubCommands() || Takes(cmd, flag.Name)) && Own(cmd).Lookup(flag.Name) == nil {
			honoured.AddFlag(flag)
		}
	})
	return honoured
}

// Unused is the annotation of a command with the names of the global flags that it does not take,
// with spaces between them.
const Unused = "unused"

// Takes reports whether a command honours a global flag.
func Takes(cmd *cobra.Command, flag string) bool {
	return !slices.Contains(strings.Fields(cmd.Annotations[Unused]), flag)
}

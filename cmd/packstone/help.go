package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:    "help [VERB|exit-codes|environment]",
		Short:  "Explain a verb and its flags.",
		Hidden: true, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && topics[args[0]] != "" {
				fmt.Fprint(cmd.OutOrStdout(), topics[args[0]])
				return nil
			}
			found, rest, err := cmd.Root().Find(args)
			if err != nil {
				return unknownVerb(cmd.Root(), args)
			}
			if len(rest) > 0 {
				return unknownVerb(found, rest)
			}
			return found.Help()
		},
	}
}

// printHelp writes the help of a verb, at most helpWidth columns wide: its promise first, two
// examples last.
func printHelp(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	fmt.Fprintln(w, wrap(cmd.Short, "", helpWidth))
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", wrapParagraphs(cmd.Long, helpWidth))
	}
	printUsageLine(w, cmd)
	if !cmd.HasParent() {
		printRootHelp(w, cmd)
		return
	}
	printVerbs(w, "Verbs", cmd.Commands())
	printFlags(w, "Flags", ownFlags(cmd))
	printGlobalFlags(w, cmd)
	printExamples(w, cmd)
}

// printRootHelp fits what a newcomer needs on the first screen: examples, then the verbs by what
// they are for.
func printRootHelp(w io.Writer, root *cobra.Command) {
	printExamples(w, root)
	for _, topic := range root.Groups() {
		printVerbs(w, topic.Title, verbsOf(root, topic.ID))
	}
	printFlags(w, "Global flags", root.PersistentFlags())
	fmt.Fprint(w, "\nSee also: packstone help exit-codes, packstone help environment\n")
}

func verbsOf(root *cobra.Command, group string) (verbs []*cobra.Command) {
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
	fmt.Fprintf(w, "\nUsage:\n  %s\n", wrap(line, "    ", helpWidth-2))
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
		fmt.Fprintf(w, "  %-*s  %s\n", padding, verb.Name(), wrap(verb.Short, indent, helpWidth-len(indent)))
	}
}

// ownFlags are the flags of the verb alone.
func ownFlags(cmd *cobra.Command) *pflag.FlagSet {
	own := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "help" {
			own.AddFlag(flag)
		}
	})
	return own
}

// globalFlagsOf are those of the global flags that the verb honours; all of them for a command that
// holds verbs.
func globalFlagsOf(cmd *cobra.Command) *pflag.FlagSet {
	honoured := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	used := usesOf(cmd)
	cmd.Root().PersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if (cmd.HasSubCommands() || honours(used, flag.Name)) && ownFlags(cmd).Lookup(flag.Name) == nil {
			honoured.AddFlag(flag)
		}
	})
	return honoured
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:    "help [VERB|exit-codes|environment]",
		Short:  "Say what a verb does and which flags it takes.",
		Hidden: true,
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

// printHelp writes the help of a verb: its promise first, two examples last.
func printHelp(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	fmt.Fprintln(w, cmd.Short)
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(cmd.Long))
	}
	printUsageLine(w, cmd)
	printVerbs(w, cmd)
	printFlags(w, "Flags", ownFlags(cmd))
	printFlags(w, "Global flags", globalFlagsOf(cmd))
	if !cmd.HasParent() {
		fmt.Fprint(w, "\nSee also: packstone help exit-codes, packstone help environment\n")
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
}

func printUsageLine(w io.Writer, cmd *cobra.Command) {
	line := cmd.CommandPath() + " VERB [FLAGS]"
	if !cmd.HasAvailableSubCommands() {
		line = strings.Replace(cmd.UseLine(), cmd.CommandPath(), cmd.CommandPath()+" [FLAGS]", 1)
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", line)
}

func printVerbs(w io.Writer, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	fmt.Fprint(w, "\nVerbs:\n")
	for _, verb := range cmd.Commands() {
		if verb.IsAvailableCommand() {
			fmt.Fprintf(w, "  %-*s  %s\n", cmd.NamePadding(), verb.Name(), verb.Short)
		}
	}
}

// helpWidth is how many columns flags take.
const helpWidth = 80

func printFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
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

// globalFlagsOf are those of the global flags that the verb honours; all of them for a command that holds verbs.
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

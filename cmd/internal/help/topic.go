package help

import (
	"embed"
	"fmt"

	"github.com/spf13/cobra"
)

// topics are what packstone help says beside the verbs, at most Width columns wide.
//
//go:embed topics
var topics embed.FS

// Topic is what packstone help says of a topic: exit-codes or environment. It is "" for any other.
func Topic(name string) string {
	text, err := topics.ReadFile("topics/" + name + ".txt")
	if err != nil {
		return ""
	}
	return string(text)
}

// NewVerb makes the verb help, which explains topics and verbs.
func NewVerb() *cobra.Command {
	return &cobra.Command{
		Use:    "help [VERB|exit-codes|environment]",
		Short:  "Explain a verb and its flags.",
		Hidden: true, DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && Topic(args[0]) != "" {
				_, err := fmt.Fprint(cmd.OutOrStdout(), Topic(args[0]))
				return err
			}
			found, rest, err := cmd.Root().Find(args)
			if err != nil {
				return UnknownVerb(cmd.Root(), args)
			}
			if len(rest) > 0 {
				return UnknownVerb(found, rest)
			}
			return found.Help()
		},
	}
}

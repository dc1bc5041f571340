package main

import (
	"embed"
	"strings"

	"github.com/spf13/cobra"
)

// texts are what commands say of themselves.
//
//go:embed verbs
var texts embed.FS

// described makes a command with the text of the file verbs/NAME.txt: a line with how it is typed, one
// with its promise, then, after an empty line, what else there is to say, and at the end, below
// Examples:, how it is used. It panics if there is no such file, since it is part of the program.
func described(name string, args cobra.PositionalArgs) *cobra.Command {
	text, err := texts.ReadFile("verbs/" + name + ".txt")
	if err != nil {
		panic(err)
	}
	rest, examples, _ := strings.Cut(string(text), "\nExamples:\n")
	use, rest, _ := strings.Cut(rest, "\n")
	short, long, _ := strings.Cut(rest, "\n")
	return &cobra.Command{Use: use, Short: short, Long: strings.TrimSpace(long), Example: strings.TrimRight(examples, "\n"), Args: args}
}

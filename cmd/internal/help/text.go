package help

import (
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
)

// Command makes a command with the text of a file: a line with how it is typed, one with its
// promise, then, after an empty line, what else there is to say, and at the end, below Examples:,
// how it is used. It panics if the file cannot be read, since it is part of the program.
func Command(texts fs.FS, file string, args cobra.PositionalArgs) *cobra.Command {
	text, err := fs.ReadFile(texts, file)
	if err != nil {
		panic(err)
	}
	rest, examples, _ := strings.Cut(string(text), "\nExamples:\n")
	use, rest, _ := strings.Cut(rest, "\n")
	short, long, _ := strings.Cut(rest, "\n")
	return &cobra.Command{Use: use, Short: short, Long: strings.TrimSpace(long), Example: strings.TrimRight(examples, "\n"), Args: args}
}

package help

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/output"
)

// ExplainArguments says in a sentence what is wrong with the arguments of a verb, and what to type.
func ExplainArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil && cmd.RunE != nil && !cmd.HasSubCommands() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return argumentsError(cmd, args, err)
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		ExplainArguments(child)
	}
}

func argumentsError(cmd *cobra.Command, args []string, err error) error {
	verb, wanted, _ := strings.Cut(strings.TrimPrefix(cmd.UseLine(), cmd.Parent().CommandPath()+" "), " ")
	path := cmd.Parent().CommandPath() + " " + verb
	switch {
	case strings.HasPrefix(err.Error(), "invalid argument"):
		return err // it names what there is
	case wanted == "":
		return fmt.Errorf("%s takes no arguments, but got %s (-r names the repository); see %s --help", path, strings.Join(args, " "), path)
	case len(args) == 0:
		return fmt.Errorf("%s wants %s; type: %s %s", path, wanted, path, wanted)
	}
	return fmt.Errorf("%s wants %s, but got %s: %s; see %s --help", path, wanted, output.Plural(len(args), "argument"), strings.Join(args, " "), path)
}

// FlagError says in a sentence what is wrong with a flag.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var unfit *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w%s; see %s --help", err, nearestFlag(cmd, unknown.GetSpecifiedName()), cmd.CommandPath())
	case errors.As(err, &missing) && missing.GetFlag() != nil:
		name, _ := pflag.UnquoteUsage(missing.GetFlag())
		return fmt.Errorf("--%s wants a value: --%s %s", missing.GetFlag().Name, missing.GetFlag().Name, strings.ToUpper(name))
	case errors.As(err, &unfit) && wanted[unfit.GetFlag().Value.Type()] != "":
		return fmt.Errorf("--%s %q: want %s", unfit.GetFlag().Name, unfit.GetValue(), wanted[unfit.GetFlag().Value.Type()])
	case errors.As(err, &unfit):
		return fmt.Errorf("--%s: %w", unfit.GetFlag().Name, unfit.Unwrap())
	}
	return err
}

// wanted are what flags take whose own words are those of a Go library.
var wanted = map[string]string{
	"bool": "true or false, or no value at all", "int": "a whole number", "count": "a whole number", "float64": "a number", "uint": "a whole number",
	"duration": "a time such as 30s, 5m or 2h", "stringSlice": "words with commas between them",
}

// nearestFlag suggests the flag that was meant.
func nearestFlag(cmd *cobra.Command, name string) string {
	if len(name) < 2 {
		return ""
	}
	best, least := "", 3
	consider := func(flag *pflag.Flag) {
		if d := distance(name, flag.Name); d < least && !flag.Hidden {
			best, least = flag.Name, d
		}
	}
	Own(cmd).VisitAll(consider)
	Global(cmd).VisitAll(consider)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean --%s?", best)
}

// distance is how many letters must be changed, added, taken away or exchanged with the next to
// make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// nearestVerb suggests the verb that was meant.
func nearestVerb(cmd *cobra.Command, name string) string {
	var near []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && (distance(name, child.Name()) <= 2 || len(name) > 1 && strings.HasPrefix(child.Name(), name)) {
			near = append(near, child.Name())
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if len(near) == 0 {
		return fmt.Sprintf("; %s --help lists them", cmd.CommandPath())
	}
	return "; did you mean " + strings.Join(near[:min(len(near), 2)], " or ") + "?"
}

// habits are verbs of other programs, and what one does here.
var habits = map[string]string{
	"unlock":        "it locks nothing. Backups and prune run side by side, and prune ends what was killed",
	"migrate":       "the repository's format has one version, and nothing to migrate to",
	"recover":       "packstone snapshots --all lists what was forgotten, packstone undelete brings it back, and packstone catalog rebuild reads the repository anew",
	"cleanup":       "packstone prune deletes what nothing needs",
	"compact":       "packstone prune deletes what nothing needs",
	"rebuild-index": "packstone catalog rebuild reads the repository anew",
}

// UnknownVerb lets a command that holds verbs run without arguments only: any argument would be a
// verb that it has not.
func UnknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if word := habits[args[0]]; word != "" && !cmd.HasParent() {
		return fmt.Errorf("packstone has no %s: %s", args[0], word)
	}
	return fmt.Errorf("unknown command %q for %s%s", args[0], cmd.CommandPath(), nearestVerb(cmd, args[0]))
}

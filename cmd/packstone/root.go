package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
)

// topic is a part of help: verbs for one purpose.
type topic struct {
	title string
	verbs []func(*app) *cobra.Command
}

// verbs are all that packstone can do, in the order in which help lists them. A new verb is one
// line here and one file.
var verbs = []topic{
	{"Back up and restore", []func(*app) *cobra.Command{newInit, newBackup, newSnapshots, newRestore, newCheck, newDrill, newStatus, newRun}},
	{"Look into snapshots", []func(*app) *cobra.Command{newLs, newFind, newDiff, newCat, newDump, newMount, newStats}},
	{"Keep, remove and repair", []func(*app) *cobra.Command{newForget, newPrune, newKeep, newHold, newUnhold, newUndelete, newTag, newRewrite, newCopy, newRepair}},
	{"Manage", []func(*app) *cobra.Command{newKey, newConfig, newDoctor, newDB, newCatalog, newCache, newNotify, newCompletion, newVersion}},
}

func newRoot(a *app) *cobra.Command {
	cobra.EnableCommandSorting = false // help lists verbs as they are listed here
	root := &cobra.Command{
		Use:   "packstone",
		Short: "Back up databases, files, lakes and settings together, and restore them.",
		Example: `  packstone backup ~/project
  packstone restore latest --target /tmp/restored`,
		Args:              unknownVerb,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	a.flags.register(root.PersistentFlags())
	root.SetArgs(a.args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetHelpFunc(printHelp)
	root.SetHelpCommand(newHelp())
	root.SetFlagErrorFunc(flagError)
	for _, topic := range verbs {
		topic.add(a, root)
	}
	explainArguments(root)
	return root
}

// add gives a command the verbs of a topic.
func (t topic) add(a *app, root *cobra.Command) {
	root.AddGroup(&cobra.Group{ID: t.title, Title: t.title})
	for _, verb := range t.verbs {
		cmd := verb(a)
		cmd.GroupID = t.title
		root.AddCommand(cmd)
	}
}

// verb completes a command with its work: run is called after the command line was found good.
func (a *app) verb(cmd *cobra.Command, used uses, run func(ctx context.Context, args []string) error) *cobra.Command {
	cmd.Annotations = map[string]string{usesAnnotation: strconv.FormatUint(uint64(used), 10)}
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.start(cmd, used); err != nil {
			return err
		}
		return run(cmd.Context(), args)
	}
	return cmd
}

// usesAnnotation is where a command keeps which global flags it honours.
const usesAnnotation = "uses"

func usesOf(cmd *cobra.Command) uses {
	used, _ := strconv.ParseUint(cmd.Annotations[usesAnnotation], 10, 64)
	return uses(used)
}

// group completes a command that only holds verbs.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = unknownVerb
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(children...)
	return cmd
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

// unknownVerb lets a command that holds verbs run without arguments only: any argument would be a
// verb that it has not.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if word := habits[args[0]]; word != "" && !cmd.HasParent() {
		return usage("packstone has no %s: %s", args[0], word)
	}
	return usage("unknown command %q for %s%s", args[0], cmd.CommandPath(), nearestVerb(cmd, args[0]))
}

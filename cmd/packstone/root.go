package main

import (
	"context"
	"embed"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/help"
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
	root := group(described("packstone", nil))
	root.SilenceErrors, root.SilenceUsage, root.CompletionOptions.DisableDefaultCmd = true, true, true
	a.flags.register(root.PersistentFlags())
	root.SetArgs(a.args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetHelpFunc(help.Print)
	explain := help.NewVerb()
	explain.Annotations = unused(0)
	root.SetHelpCommand(explain)
	root.SetFlagErrorFunc(help.FlagError)
	for _, topic := range verbs {
		topic.add(a, root)
	}
	help.ExplainArguments(root)
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
	cmd.Annotations = unused(used)
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.start(cmd, used); err != nil {
			return err
		}
		return run(cmd.Context(), args)
	}
	return cmd
}

// texts are what commands say of themselves.
//
//go:embed verbs
var texts embed.FS

// described makes a command with the text of the file verbs/NAME.txt.
func described(name string, args cobra.PositionalArgs) *cobra.Command {
	return help.Command(texts, "verbs/"+name+".txt", args)
}

// group completes a command that only holds verbs.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = help.UnknownVerb
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(children...)
	return cmd
}

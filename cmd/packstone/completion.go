package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	cmd := described("completion", cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs))
	cmd.ValidArgs = []string{"bash", "zsh", "fish", "powershell"}
	return a.verb(cmd, 0, func(_ context.Context, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.stdout)
		case "fish":
			return root.GenFishCompletion(a.stdout, true)
		default:
			return root.GenPowerShellCompletionWithDesc(a.stdout)
		}
	})
}

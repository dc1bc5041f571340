package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script that completes packstone's verbs and flags in a shell.",
		Long: `Load it in the running shell with the first example, for every new bash with the second. Where zsh, fish and
PowerShell look for such scripts, their manuals say.`,
		Example: `  source <(packstone completion bash)
  packstone completion bash > ~/.local/share/bash-completion/completions/packstone`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
	}
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

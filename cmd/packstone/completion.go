package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script for completion in a shell.",
		Long: `The first example loads it into the running bash, the second into every new one. For zsh, fish and
PowerShell, see their manuals.`,
		Example: `  source <(packstone completion bash)
  packstone completion bash > /etc/bash_completion.d/packstone`,
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

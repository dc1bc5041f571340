package main

import "github.com/spf13/cobra"

func newDrill(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Prove that backups can be restored, and how long it takes.",
		Long: `A drill restores a snapshot to scratch places, compares every row and file with it, asks what the
settings want to be so, and then damages its own copy, which it must notice. Its report is signed
into the repository.`,
		Example: `  packstone drill run platform
  packstone drill report -o drill.html`,
	}
	return group(cmd, newDrillRun(a), newDrillStatus(a), newDrillReport(a))
}

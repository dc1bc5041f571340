package main

import "github.com/spf13/cobra"

func newDrill(a *app) *cobra.Command {
	cmd := described("drill", nil)
	return group(cmd, newDrillRun(a), newDrillStatus(a), newDrillReport(a))
}

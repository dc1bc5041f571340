package hook

import (
	"os"
	"os/exec"
)

// stopGently makes an interruption reach the command as one, so that it can end in its own way.
func stopGently(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
}

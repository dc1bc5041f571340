package mysqltest

import (
	"os/exec"
	"syscall"
)

const terminate = syscall.SIGTERM

// dieWithParent ends the server when the test binary is killed.
func dieWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }

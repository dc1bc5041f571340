//go:build !linux

package mysqltest

import (
	"os/exec"
	"syscall"
)

const terminate = syscall.SIGTERM

func dieWithParent(*exec.Cmd) {}

package s3test

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startProcess starts a child that the kernel kills when this process dies, however it dies. Linux
// ties that to the thread that forked, so one thread is kept until the child is gone.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log says more than its exit status
			close(p.done)
		}
	}()
	return p, <-started
}

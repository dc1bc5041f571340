//go:build !linux

package s3test

import "os/exec"

// startProcess starts a child, which outlives this process if that is killed.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // the log says more than its exit status
		close(p.done)
	}()
	return p, nil
}

// Package servertest runs a server for a test: it starts the process, waits until it listens, and
// ends it with all its sessions.
package servertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a running server. The processes that it starts are its sessions.
type Process struct {
	command *exec.Cmd
	ended   chan struct{}
}

// Start starts a server and waits until it listens at an address. The process ends with the test.
// What logs returns is shown if it fails.
func Start(t testing.TB, command *exec.Cmd, address string, logs func() string) *Process {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", command.Path, err)
	}
	p := &Process{command: command, ended: make(chan struct{})}
	go func() { _ = command.Wait(); close(p.ended) }()
	t.Cleanup(p.Kill)
	for range 400 {
		listening := listens(address)
		select {
		case <-p.ended:
			t.Fatalf("%s ended at once: %s", command.Path, logs())
		default:
		}
		if listening {
			return p
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not listen: %s", command.Path, logs())
	return nil
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// Kill kills the server and all its sessions, and returns when they are gone. It stops each process
// before it lists its children: otherwise children started later would survive, and keep the
// server's port.
func (p *Process) Kill() {
	halt(p.command.Process.Pid)
	sessions := descendants(p.command.Process.Pid)
	end(sessions)
	_ = p.command.Process.Kill()
	<-p.ended
	for _, pid := range sessions {
		for !isIn(pid, "ZX") {
			time.Sleep(time.Millisecond)
		}
	}
}

// halt stops a process and waits until it stands still or has ended.
func halt(pid int) {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	for !isIn(pid, "TtZX") {
		time.Sleep(time.Millisecond)
	}
}

// isIn reports whether a process is in one of some states, as proc(5) has them, or is gone.
func isIn(pid int, states string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, found := strings.Cut(string(stat), ") ")
	return err != nil || !found || strings.ContainsAny(state[:1], states)
}

// Sessions kills the sessions of the server, which itself continues.
func (p *Process) Sessions() { end(descendants(p.command.Process.Pid)) }

func end(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// descendants halts the processes that pid has started, and those that they have, and returns them.
func descendants(pid int) []int {
	var all []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				halt(child)
				all = append(append(all, descendants(child)...), child)
			}
		}
	}
	return all
}

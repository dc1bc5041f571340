// Package faulttest mounts a directory a second time with faults, for tests of what a network file
// system does on a bad day. It runs tools/faultfs, which `make tools` builds.
package faulttest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Mount is a directory mounted with faults.
type Mount struct {
	Dir   string // the directory
	Point string // where it is mounted

	tb  testing.TB
	cmd *exec.Cmd
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Scanner
}

// Options say how to mount. The zero value is good.
type Options struct {
	// Inodes makes up inode numbers, others for each value.
	Inodes string
}

// New mounts the directory dir until the test ends. Where that is impossible the test is skipped: a
// mount takes Linux with FUSE, and most containers, those of CI among them, have no /dev/fuse. A
// faultfs that was not built fails in CI.
func New(tb testing.TB, dir string, o Options) *Mount {
	tb.Helper()
	program := find(tb)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		tb.Skipf("NOT TESTED here: no mount with faults, since there is no FUSE: %v", err)
	}
	m := &Mount{Dir: dir, Point: tb.TempDir(), tb: tb}
	m.start(program, o)
	tb.Cleanup(m.Unmount)
	return m
}

// find looks for the program in .bin of this checkout.
func find(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		program := filepath.Join(dir, ".bin", "faultfs")
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	if os.Getenv("CI") == "true" {
		tb.Fatal("there is no .bin/faultfs: make tools")
	}
	tb.Skip("there is no .bin/faultfs: make tools")
	return ""
}

func (m *Mount) start(program string, o Options) {
	m.tb.Helper()
	var args []string
	if o.Inodes != "" {
		args = []string{"-inodes", o.Inodes}
	}
	var said strings.Builder
	m.cmd = exec.Command(program, append(args, m.Dir, m.Point)...)
	m.cmd.Stderr = &said
	in, err := m.cmd.StdinPipe()
	if err != nil {
		m.tb.Fatal(err)
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		m.tb.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.tb.Fatal(err)
	}
	m.in, m.out = in, bufio.NewScanner(out)
	if !m.out.Scan() {
		_ = m.cmd.Wait()
		m.in = nil
		m.tb.Skipf("NOT TESTED here: no mount with faults: %s", strings.TrimSpace(said.String()))
	}
}

// Rule gives faultfs a rule and returns its answer. It may be called from any goroutine.
func (m *Mount) Rule(rule string) string {
	m.tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := io.WriteString(m.in, rule+"\n"); err != nil {
		m.tb.Errorf("%s: %v", rule, err)
		return ""
	}
	if !m.out.Scan() || strings.HasPrefix(m.out.Text(), "error") {
		m.tb.Errorf("%s: %s", rule, m.out.Text())
	}
	return m.out.Text()
}

// Kill ends faultfs without a goodbye: every call to the mount fails then, as when a server's mount
// is cut off.
func (m *Mount) Kill() {
	_ = m.cmd.Process.Kill()
}

// Unmount takes the mount away. It may be called twice.
func (m *Mount) Unmount() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.in == nil {
		return
	}
	m.in.Close()
	m.in = nil
	_ = m.cmd.Wait()
	_ = detach(m.Point) // after Kill, or where something is open still
}

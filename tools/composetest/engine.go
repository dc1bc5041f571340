package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// engine is a dockerd whose files all lie below dir.
type engine struct {
	dir     string
	address string
	daemon  *exec.Cmd
	ended   chan error
}

func startEngine(ctx context.Context, dir string) (*engine, error) {
	// Mounts of the engine stay in this namespace; the loopback device of a new network is down.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	if _, err := output(exec.Command("ip", "link", "set", "lo", "up")); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "dockerd.log"))
	if err != nil {
		return nil, err
	}
	e := &engine{dir: dir, address: "unix://" + filepath.Join(dir, "docker.sock"), ended: make(chan error, 1)}
	e.daemon = exec.Command("dockerd", "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", e.address)
	e.daemon.Stdout, e.daemon.Stderr = log, log
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := e.daemon.Start(); err != nil {
		return nil, err
	}
	go func() { e.ended <- e.daemon.Wait() }()
	err = until(ctx, "dockerd answers", func() error { _, err := e.docker(ctx, "info"); return err })
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		e.stop()
		return nil, fmt.Errorf("%w; its log:\n%s", err, text)
	}
	return e, nil
}

func (e *engine) stop() {
	e.daemon.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(time.Minute):
		e.daemon.Process.Kill()
	}
	// dockerd leaves its cgroups; where another one runs, they are not empty and stay.
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/docker")
	for _, group := range groups {
		syscall.Rmdir(group)
	}
}

// docker calls the engine's own client.
func (e *engine) docker(ctx context.Context, args ...string) (string, error) {
	return output(e.command(ctx, "docker", args...))
}

func (e *engine) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.address, "DOCKER_BUILDKIT=0")
	return cmd
}

// output is what a command prints; an error holds all that it said.
func output(cmd *exec.Cmd) (string, error) {
	var out, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &tee{&out, &all}, &all
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, all.String())
	}
	return out.String(), nil
}

type tee struct{ a, b *bytes.Buffer }

func (t *tee) Write(p []byte) (int, error) { t.b.Write(p); return t.a.Write(p) }

// until tries something each second, for three minutes at most.
func until(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, err)
		case <-time.After(time.Second):
		}
	}
}

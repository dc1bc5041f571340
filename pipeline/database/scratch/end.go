package scratch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// EndIn kills whatever runs on files below a directory, as its arguments say, and waits until it is
// gone: servers of a process that was killed, which their guard has not ended, and programs that
// were about to make one.
func EndIn(ctx context.Context, dir string) (ended int, err error) {
	seen := map[int]bool{}
	for {
		found, err := runningIn(ctx, dir)
		if err != nil || len(found) == 0 {
			return len(seen), err
		}
		for _, pid := range found {
			seen[pid] = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // an error: it is gone, or not ours
		}
		select {
		case <-ctx.Done():
			return len(seen), fmt.Errorf("end what runs in %s: %w", dir, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// runningIn lists the processes whose arguments name files below a directory.
func runningIn(ctx context.Context, dir string) (found []int, err error) {
	all, err := processes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list what runs in %s: %w", dir, err)
	}
	for pid, args := range all {
		if strings.Contains(args, filepath.Clean(dir)+"/") && pid != os.Getpid() {
			found = append(found, pid)
		}
	}
	return found, nil
}

// processes are the arguments of all that run, by their numbers. What has ended and is not waited
// for has none.
func processes(ctx context.Context) (map[int]string, error) {
	all := map[int]string{}
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if text, err := os.ReadFile(name); err == nil && pid > 0 {
			all[pid] = string(text)
		}
	}
	if len(all) > 0 || err != nil {
		return all, err
	}
	out, err := exec.CommandContext(ctx, "ps", "-axww", "-o", "pid=,args=").Output() // where there is no /proc
	for line := range bytes.Lines(out) {
		number, args, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if pid, err := strconv.Atoi(number); err == nil {
			all[pid] = args
		}
	}
	return all, err
}

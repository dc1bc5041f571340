package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// memoryGroup is a control group that gives its processes so many bytes, as a program that runs
// another one in it. Where none can be made the test is skipped.
func memoryGroup(t *testing.T, bytes int) (enter []string) {
	t.Helper()
	var failed error
	for _, kind := range []struct{ root, limit string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir := filepath.Join(kind.root, fmt.Sprintf("packstone-test-%d-%d", os.Getpid(), bytes))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		if err := os.WriteFile(filepath.Join(dir, kind.limit), fmt.Appendf(nil, "%d", bytes), 0); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		_ = os.WriteFile(filepath.Join(dir, "memory.swap.max"), []byte("0"), 0) // where there is swap
		return []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, dir}
	}
	t.Skipf("NOT TESTED here: little memory: no control group can be made: %v", failed)
	return nil
}

// addressSpace gives a program so many bytes of addresses.
func addressSpace(_ *testing.T, bytes int) []string {
	return []string{"prlimit", fmt.Sprintf("--as=%d", bytes)}
}

// frugal is a host whose program gets more and more memory until a verb is done.
type frugal struct {
	t     *testing.T
	home  string
	limit func(t *testing.T, bytes int) []string
	from  int // MiB
	step  int
	ended int // runs that had too little
}

func (f *frugal) run(limit []string, args ...string) (state *os.ProcessState, said string) {
	f.t.Helper()
	args = slices.Concat(limit, []string{"packstone", "--memory-limit", "32MiB"}, args)
	cmd, out := exec.Command(args[0], args[1:]...), new(bytes.Buffer)
	cmd.Env = append(os.Environ(), "HOME="+f.home, "XDG_CACHE_HOME="+f.home+"/cache", "XDG_CONFIG_HOME="+f.home+"/config", "XDG_DATA_HOME="+f.home+"/data")
	cmd.Stdout, cmd.Stderr = out, out
	_ = cmd.Run()
	return cmd.ProcessState, out.String()
}

// outOfMemory tells that the kernel has ended a process for want of memory, or that the Go runtime
// got none: it ends with 2 and a stack of its own, whatever a program would like to say.
func outOfMemory(state *os.ProcessState, said string) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	killed := ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	return killed || state.ExitCode() == 2 && (strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory") ||
		strings.Contains(said, "failed to") || strings.Contains(said, "runtime:"))
}

// growing runs a verb with more and more memory until it is done, and checks after each run.
func (f *frugal) growing(args ...string) {
	f.t.Helper()
	for mega := f.from; ; mega += f.step {
		state, said := f.run(f.limit(f.t, mega<<20), args...)
		if state.Success() {
			f.t.Logf("%s is done with %d MiB", args[0], mega)
			return
		}
		if args[0] == "init" && strings.Contains(said, "an interrupted init has left objects") {
			if err := os.RemoveAll(filepath.Join(f.home, "data")); err != nil { // as it says
				f.t.Fatal(err)
			}
			mega -= f.step
			continue
		}
		if !outOfMemory(state, said) {
			f.t.Fatalf("with %d MiB %v ends with %v\n%s", mega, args, state, tail(said))
		}
		f.ended++
		if state, said := f.run(nil, "check"); args[0] != "init" && !state.Success() {
			f.t.Fatalf("after %v had too little memory: check: %v\n%s", args, state, said)
		}
	}
}

// With --memory-limit verbs do their work in little memory. With less they are killed, which is a
// kill as any other.
func TestSoakWhatHasLittleMemoryIsDoneOrCanBeDoneAgain(t *testing.T) {
	for _, kind := range []struct {
		name       string
		limit      func(t *testing.T, bytes int) []string
		from, step int
	}{
		{"control group", memoryGroup, 12, 12}, {"address space", addressSpace, 256, 256},
	} {
		t.Run(kind.name, func(t *testing.T) {
			f := &frugal{t: t, home: t.TempDir(), limit: kind.limit, from: kind.from, step: kind.step}
			data := filepath.Join(f.home, "files")
			mustMkdir(t, data)
			for i := range scarceMega {
				if err := os.WriteFile(filepath.Join(data, fmt.Sprint(i)), noise(1<<20, byte(i)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f.growing("init")
			f.growing("backup", data)
			for i := range scarceMega / 3 {
				if err := os.WriteFile(filepath.Join(data, fmt.Sprint(3*i)), noise(1<<20, byte(100+i)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f.growing("backup", data)
			f.growing("forget", "latest~1")
			f.growing("prune", "--grace", "0", "--yes", "--dead-after", "0s", "--repack", "--max-unused", "0%")
			f.growing("check", "--read-data")
			f.growing("restore", "latest:"+data, "--target", filepath.Join(f.home, "back"), "--overwrite", "always")
			if out, err := exec.Command("diff", "-r", data, filepath.Join(f.home, "back")).CombinedOutput(); err != nil {
				t.Errorf("what came back differs: %v\n%s", err, out)
			}
			t.Logf("%s: %d runs had too little", kind.name, f.ended)
		})
	}
}

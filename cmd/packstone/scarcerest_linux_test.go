package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child runs a verb as a process of its own, by a program that limits it. In its words @ is the
// directory of the place. The code is negative if a signal has ended it.
func (p *place) child(limit []string, words ...string) (code int, stderr string) {
	p.t.Helper()
	cmd, errs := p.command(limit, words...)
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), errs.String()
}

func (p *place) command(limit []string, words ...string) (*exec.Cmd, *bytes.Buffer) {
	args := append(slices.Clone(limit), "packstone")
	for _, word := range words {
		args = append(args, strings.ReplaceAll(word, "@", p.dir))
	}
	cmd, errs := exec.Command(args[0], args[1:]...), new(bytes.Buffer)
	cmd.Env, cmd.Stderr = p.env(), errs
	return cmd, errs
}

// scarceChildren are what is run within limits of a process: of each kind one.
func scarceChildren(t *testing.T, each func(t *testing.T, v killed, again func() *place)) {
	base := withSnapshots(t)
	saved := filepath.Join(filepath.Dir(base.dir), "base")
	base.copyTo(saved)
	for _, v := range killedVerbs {
		if !slices.Contains([]string{"backup, something changed", "forget and prune", "prune --repack", "copy", "restore", "rewrite"}, v.name) {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			p := prepared(t, base, saved, v)
			copied := saved + ".copied"
			p.copyTo(copied)
			t.Cleanup(func() { os.RemoveAll(copied) })
			each(t, v, func() *place {
				if out, err := exec.Command("cp", "-a", copied, copied+".next").CombinedOutput(); err != nil {
					t.Fatalf("copy the place: %v\n%s", err, out)
				}
				return p.in(t, copied+".next")
			})
		})
	}
}

// processLimit is a limit of a process that a verb runs into.
type processLimit struct {
	name       string
	flag       string // of prlimit
	from, step int
	why        string // what a verb says that meets it
	cure       string
}

var processLimits = []processLimit{
	{"descriptors", "--nofile=%d", 12, min(scarceStep, 4), "too many open files", "ulimit -n"},
	{"bytes of a file", "--fsize=%d", 0, 2048 * scarceStep, "file too large", "ulimit -f"},
}

// What runs into a limit of the process says so, or is done, and has left nothing that is half
// written. With fewer descriptors than these the program does not begin.
func TestSoakWhatMayOpenFewFilesOrWriteSmallOnesSaysSo(t *testing.T) {
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skipf("NOT TESTED here: limits of a process: %v", err)
	}
	runs := 0
	scarceChildren(t, func(t *testing.T, v killed, again func() *place) {
		for _, limit := range processLimits {
			n, done := limit.from, false
			for ; !done && !t.Failed(); n += limit.step {
				q := again()
				done = q.within(limit, n, v)
				q.resumes(v)
				runs++
			}
			t.Logf("%-26s done with %d %s", v.name, n-limit.step, limit.name)
		}
	})
	t.Logf("counted: limits of a process: %d runs", runs)
}

// within runs a verb within a limit, and tells whether it was done.
func (p *place) within(limit processLimit, n int, v killed) (done bool) {
	p.t.Helper()
	code, stderr := p.child([]string{"prlimit", fmt.Sprintf(limit.flag, n)}, p.words(v.verb)...)
	switch {
	case code == exitDone:
	case code == exitMissing && strings.Contains(stderr, limit.why): // of one file or another, which is listed
	case code != exitFailed:
		p.t.Errorf("with %d %s %v ends with %d\n%s", n, limit.name, v.verb, code, stderr)
	case !strings.Contains(stderr, limit.why) || !strings.Contains(stderr, limit.cure):
		p.t.Errorf("with %d %s %v does not tell why it failed, and what to do:\n%s", n, limit.name, v.verb, stderr)
	}
	return code == exitDone
}

// A verb that is asked to end does, with 130 or with its work done, whenever that is.
func TestSoakWhatIsAskedToEndEnds(t *testing.T) {
	base := withSnapshots(t)
	saved := filepath.Join(filepath.Dir(base.dir), "base")
	base.copyTo(saved)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	ends := map[int]int{}
	for i, v := range slices.Concat(killedVerbs, localVerbs) {
		if i%scarceVerbs != 1%scarceVerbs {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			p := prepared(t, base, saved, v)
			begun := time.Now()
			p.child(nil, p.words(v.verb)...)
			takes := time.Since(begun)
			for range scarceTerms {
				p := prepared(t, base, saved, v)
				cmd, errs := p.command(nil, p.words(v.verb)...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(takes/3 + time.Duration(r.Int64N(int64(takes)*2/3)))
				_ = cmd.Process.Signal(syscall.SIGTERM)
				_ = cmd.Wait()
				code := cmd.ProcessState.ExitCode()
				ends[code]++
				if code != exitDone && code != exitInterrupted && !beforeItListens(cmd) {
					t.Errorf("%v ends with %d after a SIGTERM\n%s", v.verb, code, errs)
				}
				p.resumes(v)
			}
		})
	}
	t.Logf("counted: SIGTERM, seed %d: how verbs ended: %v (-1: before the program was there)", seed, ends)
}

// beforeItListens tells that a process was ended by the signal before it could take it.
func beforeItListens(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

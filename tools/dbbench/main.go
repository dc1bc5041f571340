// Command dbbench measures packstone's database verbs beside what the engines and SQLite bring
// along, on the same rows in one run, so that the ratios hold whatever the machine does:
//
//	dbbench [-rows 1000000] [-tables 2000] [-rounds 3] [-packstone PROGRAM] [-engines postgres,mariadb] [-only TEXT] [-writers 0]
//
// It starts servers of its own in a temporary directory and fills two databases in each: "large"
// has narrow, plain, wide, text-heavy, jsonb and bytea tables, two further indexes and a foreign
// key; "small" has many tables of twenty rows. It prints of every step the median time, the
// client's least processor time, the most memory that the client took, and the ratio to the native
// step beside which it stands. packstone reads back and compares whatever it writes; the others do
// not.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	var b bench
	flag.IntVar(&b.rows, "rows", 1_000_000, "rows of the plain table; others have a share of it")
	flag.IntVar(&b.tables, "tables", 2000, "tables of the database of small ones")
	flag.IntVar(&b.rounds, "rounds", 3, "how often every step is taken")
	flag.IntVar(&b.writers, "writers", 0, "how many clients change rows of the source meanwhile")
	flag.StringVar(&b.program, "packstone", "packstone", "the program")
	flag.StringVar(&b.only, "only", "", "take only steps whose name has this in it, and what they need")
	wanted := flag.String("engines", "postgres,mariadb", "which engines")
	flag.Parse()
	if err := b.run(strings.Split(*wanted, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "dbbench:", err)
		os.Exit(1)
	}
}

type bench struct {
	rows, tables, rounds, writers int
	program, dir, only            string
	stops                         []func()
	steps                         []*step
}

// step is something that is measured.
type step struct {
	engine, what, script string
	before               string // not measured
	beside               string // the native step that it is compared with; empty: it is native
	hidden               bool   // it is not printed
	took                 []time.Duration
	cpu                  time.Duration // least
	memory               int64         // bytes, most
}

func (b *bench) run(names []string) (err error) {
	if b.program, err = exec.LookPath(b.program); err != nil {
		return err
	}
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "dbbench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer func() {
		for _, stop := range b.stops {
			stop()
		}
	}()
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	for _, e := range engines(b.dir) {
		if !slices.Contains(names, e.name) {
			continue
		}
		if err := b.prepare(e); err != nil {
			return fmt.Errorf("prepare %s: %w", e.name, err)
		}
	}
	if err := b.takeAll(); err != nil {
		return err
	}
	return b.print()
}

// prepare starts a server, fills its databases and plans the steps.
func (b *bench) prepare(e *engine) error {
	if err := e.start(b); err != nil {
		return err
	}
	for name, sql := range map[string]string{"large": b.large(e.name), "small": b.small(e.name)} {
		file := b.dir + "/" + name + ".sql"
		if err := os.WriteFile(file, []byte(sql), 0o644); err != nil {
			return err
		}
		if err := b.shell(e.empty(name) + " && " + e.client + " " + name + " < " + file); err != nil {
			return err
		}
	}
	if err := os.WriteFile(b.dir+"/changed.sql", []byte(changed), 0o644); err != nil {
		return err
	}
	for i := range b.writers {
		if err := b.write(e, i); err != nil {
			return err
		}
	}
	e.plan(b, e)
	return nil
}

// write starts a client that changes rows until the end.
func (b *bench) write(e *engine, number int) error {
	script := fmt.Sprintf("while :; do for i in $(seq 500); do echo \"UPDATE plain SET score = score + 1 WHERE id = $((RANDOM * 31 + %d));\"; done; done | %s large", number, e.client)
	writer := exec.Command("bash", "-c", script)
	writer.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := writer.Start(); err != nil {
		return err
	}
	b.stops = append([]func(){func() { _ = syscall.Kill(-writer.Process.Pid, syscall.SIGKILL); _ = writer.Wait() }}, b.stops...)
	return nil
}

func (b *bench) add(s *step) { b.steps = append(b.steps, s) }

func (b *bench) takeAll() error {
	for round := range b.rounds {
		for _, s := range b.steps {
			if !b.wanted(s) {
				continue
			}
			begun := time.Now()
			if err := b.take(s); err != nil {
				return fmt.Errorf("%s, %s: %w", s.engine, s.what, err)
			}
			fmt.Fprintf(os.Stderr, "round %d: %s %s: %.1f s (%.1f s with what prepares it)\n", round+1, s.engine, s.what, s.took[len(s.took)-1].Seconds(), time.Since(begun).Seconds())
		}
	}
	return nil
}

// wanted takes what -only names, what that is compared with, and the dumps, files and repositories
// that others read.
func (b *bench) wanted(s *step) bool {
	if strings.Contains(s.what, b.only) {
		return true
	}
	size := strings.HasPrefix(b.only, "small")
	if strings.HasPrefix(s.what, "small") != size {
		return false
	}
	return strings.HasSuffix(s.what, ": dump") || strings.HasSuffix(s.what, "backup, first") || s.what == "large: db export" || slices.ContainsFunc(b.steps, func(other *step) bool {
		return other.beside == s.what && strings.Contains(other.what, b.only)
	})
}

// shell runs what is not measured.
func (b *bench) shell(script string) error {
	out, err := exec.Command("bash", "-c", "set -o pipefail; "+script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%.300s: %w: %s", script, err, out)
	}
	return nil
}

// take runs a step once.
func (b *bench) take(s *step) error {
	if s.before != "" {
		if err := b.shell(s.before); err != nil {
			return err
		}
	}
	cmd := exec.Command("bash", "-c", "set -o pipefail; "+s.script)
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_CACHE_HOME="+b.dir+"/cache")
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begun)
	// packstone ends with 3 where SQLite cannot hold everything exactly.
	if exit := (&exec.ExitError{}); errors.As(err, &exit) && s.beside != "" && exit.ExitCode() == 3 {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if len(s.took) == 0 || cpu < s.cpu {
		s.cpu = cpu
	}
	s.took = append(s.took, took)
	// Of the shell and what it waited for: the largest.
	s.memory = max(s.memory, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	return nil
}

// median is 0 for a step that was not taken.
func (s *step) median() time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	slices.Sort(s.took)
	return s.took[len(s.took)/2]
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "engine\tstep\tmedian s\tfastest\tclient cpu\tpeak MiB\tratio\tbeside\n")
	for _, s := range b.steps {
		took := s.median()
		if s.hidden || took == 0 {
			continue
		}
		ratio := ""
		for _, native := range b.steps {
			if native.engine == s.engine && native.what == s.beside && native.median() > 0 {
				ratio = fmt.Sprintf("%.2f", took.Seconds()/native.median().Seconds())
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.1f\t%d\t%s\t%s\n", s.engine, s.what, took.Seconds(), s.took[0].Seconds(), s.cpu.Seconds(), s.memory>>20, ratio, s.beside)
	}
	return w.Flush()
}

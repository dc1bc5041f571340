// Command measure runs packstone on a directory as a user would and prints what each step costs, as
// lines that benchstat reads:
//
//	measure [flags] DIR
//
// The steps are first (a backup into an empty repository), same (again), day2 (again, after -change
// has changed a copy of DIR), restore (of the first backup, into an empty directory) and check
// (--read-data). Each is told its wall time, processor time, peak of memory, what the repository
// takes after it, and the requests that a backup's summary counts. Several programs take turns:
//
//	measure -program ./old,./new -count 5 DIR >turns.txt && benchstat -col /program turns.txt
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	programs := flag.String("program", "./packstone", "programs to measure, separated by commas")
	steps := flag.String("steps", "first,same,day2,restore,check", "what to do")
	flag.IntVar(&o.count, "count", 1, "how often")
	flag.StringVar(&o.change, "change", "", "shell command that changes the copy of DIR in $DIR for day2; without it there is no day2")
	flag.StringVar(&o.work, "work", os.TempDir(), "directory for repositories and what is restored")
	flag.Int64Var(&o.touch, "touch", 0, "MiB of memory to use and free before each step, as some virtual machines need, to whom their host gives memory slowly")
	flag.StringVar(&o.flags, "flags", "", "more flags for every command")
	flag.Parse()
	o.programs, o.steps = strings.Split(*programs, ","), strings.Split(*steps, ",")
	if flag.NArg() == 0 && o.touch > 0 {
		exit(touch(o.touch << 20))
	}
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	exit(o.run(flag.Arg(0)))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type options struct {
	programs, steps     []string
	count               int
	touch               int64
	change, work, flags string
	left                []string // directories to remove at the end
}

func (o *options) run(dir string) error {
	source, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	fmt.Printf("goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
	defer o.tidy()
	for range o.count {
		for _, program := range o.programs {
			if err := o.turn(program, source); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn does all steps with one program in a directory of its own.
func (o *options) turn(program, source string) (err error) {
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	work, err := os.MkdirTemp(o.work, "measure-")
	if err != nil {
		return err
	}
	o.left = append(o.left, work) // not removed before the end: ext4 is slow to make files for minutes after many were removed
	t := &turn{options: o, program: program, work: work, name: filepath.Base(source), source: source}
	if o.change != "" {
		t.source = filepath.Join(work, "source")
		if err := shell("cp -a \"$FROM\" \"$DIR\"", "FROM="+source, "DIR="+t.source); err != nil {
			return err
		}
	}
	return t.run()
}

// turn is one program's work on one source.
type turn struct {
	*options
	program, work, name, source string
}

func (t *turn) run() error {
	if _, err := t.packstone("-q", "init"); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() (usage, error)
	}{
		{"first", func() (usage, error) { return t.backup("first") }},
		{"same", func() (usage, error) { return t.backup("same") }},
		{"day2", t.changed},
		{"restore", t.restore},
		{"check", func() (usage, error) { return t.packstone("check", "--read-data") }},
	} {
		if !slices.Contains(t.steps, step.name) || step.name == "day2" && t.change == "" {
			continue
		}
		if err := t.warm(step.name); err != nil {
			return err
		}
		used, err := step.do()
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := t.report(step.name, used); err != nil {
			return err
		}
	}
	return nil
}

// warm reads what the step will read, so that no disk is measured.
func (t *turn) warm(step string) error {
	syscall.Sync()
	dir := t.source
	if step == "restore" || step == "check" {
		dir = filepath.Join(t.work, "repository")
	}
	buffer := make([]byte, 1<<20)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		for err == nil {
			_, err = file.Read(buffer)
		}
		if err == io.EOF {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	return t.touchElsewhere()
}

// touchElsewhere touches memory in another process, since the peak of this one would count as that
// of its children.
func (t *turn) touchElsewhere() error {
	if t.touch == 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return exec.Command(self, "-touch", fmt.Sprint(t.touch)).Run()
}

// touch uses memory and frees it.
func touch(bytes int64) error {
	memory, err := syscall.Mmap(-1, 0, int(bytes), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return fmt.Errorf("touch memory: %w", err)
	}
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return syscall.Munmap(memory)
}

func (t *turn) backup(tag string) (usage, error) {
	return t.packstone("backup", "--tag", tag, t.source)
}

func (t *turn) changed() (usage, error) {
	if err := shell(t.change, "DIR="+t.source); err != nil {
		return usage{}, err
	}
	if err := t.warm("day2"); err != nil {
		return usage{}, err
	}
	return t.backup("day2")
}

// restore reads the repository as a new machine does, with nothing in its cache.
func (t *turn) restore() (usage, error) {
	if err := os.RemoveAll(filepath.Join(t.work, "cache")); err != nil {
		return usage{}, err
	}
	return t.packstone("restore", "latest", "--tag", "first", "--target", filepath.Join(t.work, "restored"))
}

// usage is what one command took.
type usage struct {
	wall, processor time.Duration
	peak            int64 // bytes
	requests        float64
}

// packstone runs the program with a home of its own.
func (t *turn) packstone(args ...string) (usage, error) {
	if args[0] == "backup" {
		args = append(args, "--json")
	}
	cmd := exec.Command(t.program, append(args, strings.Fields(t.flags)...)...)
	cmd.Env = append(os.Environ(), "PACKSTONE_REPOSITORY="+filepath.Join(t.work, "repository"), "PACKSTONE_CACHE_DIR="+filepath.Join(t.work, "cache"),
		"XDG_CONFIG_HOME="+filepath.Join(t.work, "home"), "XDG_DATA_HOME="+filepath.Join(t.work, "home"))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, &out)
	}
	used := usage{wall: time.Since(begun), processor: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), requests: requests(out.String())}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		used.peak = r.Maxrss * 1024
	}
	return used, nil
}

// requests adds up what the summary of a backup tells.
func requests(out string) (sum float64) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	type calls struct{ Calls float64 }
	var summary struct {
		Requests struct{ Put, Get, List, Delete, Sync calls }
	}
	if json.Unmarshal([]byte(lines[len(lines)-1]), &summary) != nil {
		return 0
	}
	r := &summary.Requests
	return r.Put.Calls + r.Get.Calls + r.List.Calls + r.Delete.Calls + r.Sync.Calls
}

func (t *turn) report(step string, used usage) error {
	stored, err := size(filepath.Join(t.work, "repository"))
	if err != nil {
		return err
	}
	fmt.Printf("BenchmarkProgram/source=%s/program=%s/step=%s-%d 1 %d ns/op %.3f cpu-s %.1f peak-MiB %.2f stored-MiB", t.name,
		filepath.Base(t.program), step, runtime.NumCPU(), used.wall.Nanoseconds(), used.processor.Seconds(), mebi(used.peak), mebi(stored))
	if used.requests > 0 {
		fmt.Printf(" %.0f requests", used.requests)
	}
	fmt.Println()
	return nil
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// size adds up the files in a directory.
func size(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

func shell(command string, env ...string) error {
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

func (o *options) tidy() {
	for _, dir := range o.left {
		_ = os.RemoveAll(dir)
	}
}

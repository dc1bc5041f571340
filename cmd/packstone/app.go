package main

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/view"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/logfile"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// app is what verbs share: the command line, the environment and the printer.
type app struct {
	process
	*machine.Machine
	flags      globalFlags
	job        bool // it is run by packstone run, not by a person
	started    bool // the command line is good and the verb's work has begun
	out        *output.Printer
	seen       *view.View                      // of the repository, the last one
	used       uses                            // of the verb
	giveBack   func()                          // nil, or what removes a cache that was for this run alone
	snapshotID string                          // that this run has made; "": none
	bandwidth  func() (upload, download int64) // of a job: how much it may send and receive a second just now; nil: as much as it can
	// patience tells of storage that does not answer.
	patience *output.Patience
}

func newApp(p process) *app {
	a := &app{process: p, Machine: machine.New(p.env), patience: &output.Patience{}}
	a.Flags, a.Stdin, a.Stderr, a.Software = &a.flags.Flags, p.stdin, p.stderr, "packstone "+version().Version
	a.Reach = a.reach
	a.Warn = func(text string) { a.out.Warn(output.Warning{Message: text}) }
	a.Note = func(format string, args ...any) { a.out.Note(format, args...) }
	return a
}

// start makes ready for a verb's work.
func (a *app) start(cmd *cobra.Command, used uses) error {
	if err := a.flags.check(cmd, used); err != nil {
		return err
	}
	if used&(usesRepository|usesCache) != 0 {
		if err := a.CheckHome(); err != nil {
			return err
		}
	}
	out, err := a.newPrinter()
	if err != nil {
		return err
	}
	a.out, a.started, a.used = out, true, used
	a.Set = a.flags.set
	if a.flags.noCache {
		if a.giveBack, err = a.BorrowCache(); err != nil {
			return err
		}
	}
	a.patience.Out = out
	if a.flags.memoryLimit > 0 {
		debug.SetMemoryLimit(int64(a.flags.memoryLimit))
	}
	return nil
}

func (a *app) newPrinter() (*output.Printer, error) {
	fps, err := a.env.FramesPerSecond()
	if err != nil {
		return nil, err
	}
	file, terminal := machine.Terminal(a.stderr)
	results, toTerminal := machine.Terminal(a.stdout)
	return output.New(output.Options{
		Stdout:     a.stdout,
		Stderr:     a.stderr,
		JSON:       a.flags.json,
		Quiet:      a.flags.quiet,
		Verbose:    a.flags.verbose,
		Terminal:   terminal && a.env["TERM"] != "dumb",
		Color:      terminal && a.env["NO_COLOR"] == "" && a.env["TERM"] != "dumb",
		ASCII:      (terminal || toTerminal) && !a.env.IsUTF8(),
		Priorities: a.toJournal(),
		Width:      func() int { return machine.Width(file) },
		TableWidth: func() int {
			if !toTerminal {
				return 0
			}
			return machine.Width(results)
		},
		FPS: fps,
	}), nil
}

// toJournal tells whether what is said goes to systemd's journal.
func (a *app) toJournal() bool { return logfile.IsJournal(a.stderr, a.env["JOURNAL_STREAM"]) }

// warnOf tells what a person should know of an item.
func (a *app) warnOf(item, text string) {
	a.out.Warn(output.Warning{Item: output.Name(item), Message: text})
}

// finish reports how the program ends, and returns its exit code.
func (a *app) finish(ctx context.Context, err error) int {
	a.patience.End()
	if a.giveBack != nil {
		a.giveBack()
	}
	err = withCure(a.classify(err))
	code := exitCode(ctx, err)
	if err == nil || errors.Is(err, exitcode.ErrReported) {
		return code
	}
	if a.out == nil {
		a.out = output.New(output.Options{Stdout: a.stdout, Stderr: a.stderr, JSON: slices.Contains(a.args, "--json")})
	}
	switch {
	case code != exitInterrupted:
		a.out.Exit(code, err)
	case a.out.JSON():
		a.out.Exit(code, errInterrupted)
	}
	return code
}

// errInterrupted is what an interrupted run says in JSON. To a person the interrupt itself was
// answered already, and where it met the work says nothing.
var errInterrupted = errors.New("interrupted")

// classify makes a snapshot that may only be hidden by damage an integrity failure, and what cobra
// finds wrong with the command line a usage error.
func (a *app) classify(err error) error {
	if a.seen != nil && a.seen.Damaged() && errors.Is(err, catalog.ErrNoSnapshot) {
		return exitWith(exitIntegrity, "%w: records of the repository are damaged, as warned above, and it may be in one of them", err)
	}
	var known *exitcode.Error
	if err == nil || a.started || errors.As(err, &known) {
		return err
	}
	return usage("%w", err)
}

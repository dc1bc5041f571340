// Package hook runs the commands that a settings file defines around the backup of a set: to
// quiesce an application before, and to resume it afterwards whatever happened.
package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// Commands are programs with their arguments, in the order in which they run, without a shell.
type Commands [][]string

// JSONSchema describes both forms in a settings file: one command, or a list of commands.
func (Commands) JSONSchema() jsonschema.Schema {
	command := jsonschema.Schema{"type": "array", "items": jsonschema.Schema{"type": "string"}, "minItems": 1}
	several := jsonschema.Schema{"type": "array", "items": command}
	return jsonschema.Schema{"anyOf": []jsonschema.Schema{command, several}}
}

// Hooks are the commands around one run.
type Hooks struct {
	Before  Commands `yaml:"before,omitempty" doc:"Run first. If one fails, nothing is backed up."`
	After   Commands `yaml:"after,omitempty" doc:"Run after a backup that was made, be it incomplete. If one fails, the run has failed; the snapshot stays."`
	Failed  Commands `yaml:"failed,omitempty" doc:"Run after a backup that failed, or that a failing hook kept from being made."`
	Finally Commands `yaml:"finally,omitempty" doc:"Run last, whatever happened."`
	Timeout string   `yaml:"timeout,omitempty" doc:"How long each command may take, such as 90s or 2h; then it is ended, and has failed. 1h if it is not named."`
	// Environment is for the caller, who builds the Runner's Env from it.
	Environment []string `yaml:"environment,omitempty" doc:"Names of variables with secrets that the commands see; without, they see none of packstone's keys, passwords and passphrases."`
}

// Any reports whether there are any commands.
func (h Hooks) Any() bool { return len(h.Before)+len(h.After)+len(h.Failed)+len(h.Finally) > 0 }

// defaultTimeout is how long a command may take by default.
const defaultTimeout = time.Hour

// Limit returns how long each command may take.
func (h Hooks) Limit() (time.Duration, error) {
	if h.Timeout == "" {
		return defaultTimeout, nil
	}
	limit, err := time.ParseDuration(h.Timeout)
	if err != nil || limit <= 0 {
		return 0, fmt.Errorf("%q is not a time such as 90s or 2h", h.Timeout)
	}
	return limit, nil
}

// Runner determines how commands run.
type Runner struct {
	Env    []string      // of the commands: NAME=value
	Output io.Writer     // takes what the commands print; nil: nobody
	Grace  time.Duration // how long a command may go on after it was asked to end; 0: ten seconds
	// Result tells how work has ended. An error of work need not be a failure: the snapshot may
	// exist, but lack something. If Result is nil, every error is a failure, and commands get no
	// further variables.
	Result func(err error) Result
}

// Result is how work has ended, for the hooks that run after it.
type Result struct {
	Made bool     // there is a snapshot: After is run, and not Failed
	Env  []string // NAME=value, that says more
}

// ResultOf is the result of a backup that ended with an exit code, and made a snapshot or none ("").
// What commands learn of it: PACKSTONE_RESULT, PACKSTONE_EXIT_CODE and PACKSTONE_SNAPSHOT.
func ResultOf(code int, snapshot string) Result {
	incomplete := (code == exitcode.Missing || code == exitcode.Drill) && snapshot != ""
	word := "failed"
	switch {
	case code == exitcode.Done:
		word = "success"
	case incomplete:
		word = "incomplete"
	case code == exitcode.Interrupted:
		word = "interrupted"
	}
	return Result{
		Made: code == exitcode.Done || incomplete,
		Env:  []string{"PACKSTONE_RESULT=" + word, "PACKSTONE_EXIT_CODE=" + strconv.Itoa(code), "PACKSTONE_SNAPSHOT=" + snapshot},
	}
}

// Run runs work between the hooks and returns what went wrong. Failed and Finally also run after an
// interruption. PACKSTONE_HOOK tells commands which hook they belong to. PACKSTONE_ERROR, and the
// variables from Result, tell those after work what happened.
func (r Runner) Run(ctx context.Context, hooks Hooks, work func(context.Context) error) error {
	if err := r.all(ctx, "before", hooks, hooks.Before, told{}); err != nil {
		return r.Fail(ctx, hooks, err)
	}
	err := work(ctx)
	result := r.result(err)
	if !result.Made {
		return r.Fail(ctx, hooks, err)
	}
	if hookErr := r.all(ctx, "after", hooks, hooks.After, told{err, result.Env}); hookErr != nil {
		return r.Fail(ctx, hooks, errors.Join(err, hookErr))
	}
	return errors.Join(err, r.all(context.WithoutCancel(ctx), "finally", hooks, hooks.Finally, told{err, result.Env}))
}

// Fail runs the hooks for a backup that has failed, perhaps before it could begin, and returns what
// went wrong, err first.
func (r Runner) Fail(ctx context.Context, hooks Hooks, err error) error {
	unbroken := context.WithoutCancel(ctx)
	env := r.result(err).Env
	err = errors.Join(err, r.all(unbroken, "failed", hooks, hooks.Failed, told{err, env}))
	return errors.Join(err, r.all(unbroken, "finally", hooks, hooks.Finally, told{err, env}))
}

func (r Runner) result(err error) Result {
	if r.Result == nil {
		return Result{Made: err == nil}
	}
	return r.Result(err)
}

// told is what a command learns about work.
type told struct {
	err error
	env []string
}

// all runs a hook's commands up to the first that fails.
func (r Runner) all(ctx context.Context, name string, hooks Hooks, commands Commands, t told) error {
	limit, err := hooks.Limit()
	if err != nil {
		return fmt.Errorf("run hook %s: timeout: %w", name, err)
	}
	for _, command := range commands {
		if err := r.one(ctx, name, limit, command, t); err != nil {
			return fmt.Errorf("run hook %s: %s: %w", name, command[0], err) // arguments may be secret
		}
	}
	return nil
}

// Command runs one command, as what name says, which may take so long.
func (r Runner) Command(ctx context.Context, name string, limit time.Duration, command []string) error {
	return r.one(ctx, name, limit, command, told{})
}

func (r Runner) one(ctx context.Context, name string, limit time.Duration, command []string, t told) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was stopped after %s", limit))
	defer cancel()
	cmd := exec.CommandContext(limited, command[0], command[1:]...)
	cmd.Env = append(append(append([]string{}, r.Env...), t.env...), "PACKSTONE_HOOK="+name)
	if t.err != nil {
		cmd.Env = append(cmd.Env, "PACKSTONE_ERROR="+t.err.Error())
	}
	said := &tail{to: r.Output}
	cmd.Stdout, cmd.Stderr = said, said
	stopGently(cmd)
	cmd.WaitDelay = r.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = 10 * time.Second
	}
	err := cmd.Run()
	if limited.Err() != nil {
		endGroup(cmd)
	}
	return said.explain(limited, err)
}

// tail passes on the output of a command, and keeps its end.
type tail struct {
	to   io.Writer
	kept []byte
}

// mostKept is how many bytes of the output are part of an error.
const mostKept = 1000

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-mostKept):]
	if t.to == nil {
		return len(p), nil
	}
	return t.to.Write(p)
}

// explain adds to a command's failure why it was ended, and its last output.
func (t *tail) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "")), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		err = fmt.Errorf("%w; its last output: %s", err, last)
	}
	return err
}

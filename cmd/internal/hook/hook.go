// Package hook runs the commands that a settings file wants around the backup of a set: to bring an application to rest
// before, and to let it go on afterwards whatever happened.
package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// Commands are programs with their arguments, in the order in which they are run. No shell is involved.
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
	After   Commands `yaml:"after,omitempty" doc:"Run after a backup that was made. If one fails, the run has failed; the snapshot stays."`
	Failed  Commands `yaml:"failed,omitempty" doc:"Run after a backup that failed, or that a failing hook kept from being made."`
	Finally Commands `yaml:"finally,omitempty" doc:"Run last, whatever happened."`
	// Environment is for the caller, who makes the Runner's Env.
	Environment []string `yaml:"environment,omitempty" doc:"Names of variables with secrets that the commands see; without, they see none of packstone's keys, passwords and passphrases."`
}

// Any tells whether there is a command at all.
func (h Hooks) Any() bool { return len(h.Before)+len(h.After)+len(h.Failed)+len(h.Finally) > 0 }

// Runner says how commands are run.
type Runner struct {
	Env    []string      // of the commands: NAME=value
	Output io.Writer     // takes what the commands print
	Grace  time.Duration // how long a command may go on after the run was interrupted; 0: ten seconds
}

// Run runs work between the hooks and returns what went wrong. Failed and Finally are run after an interruption too.
// Commands learn from PACKSTONE_HOOK which hook they are, those after work from PACKSTONE_ERROR what went wrong.
func (r Runner) Run(ctx context.Context, hooks Hooks, work func(context.Context) error) error {
	err := r.all(ctx, "before", hooks.Before, nil)
	if err == nil {
		err = work(ctx)
	}
	if err == nil {
		err = r.all(ctx, "after", hooks.After, nil)
	}
	unbroken := context.WithoutCancel(ctx)
	if err != nil {
		err = errors.Join(err, r.all(unbroken, "failed", hooks.Failed, err))
	}
	return errors.Join(err, r.all(unbroken, "finally", hooks.Finally, err))
}

// all runs a hook's commands up to the first that fails.
func (r Runner) all(ctx context.Context, name string, commands Commands, cause error) error {
	for _, command := range commands {
		if err := r.one(ctx, name, command, cause); err != nil {
			return fmt.Errorf("run hook %s: %s: %w", name, command[0], err) // arguments may be secret
		}
	}
	return nil
}

func (r Runner) one(ctx context.Context, name string, command []string, cause error) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(append([]string{}, r.Env...), "PACKSTONE_HOOK="+name)
	if cause != nil {
		cmd.Env = append(cmd.Env, "PACKSTONE_ERROR="+cause.Error())
	}
	cmd.Stdout, cmd.Stderr = r.Output, r.Output
	stopGently(cmd)
	cmd.WaitDelay = r.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = 10 * time.Second
	}
	return cmd.Run()
}

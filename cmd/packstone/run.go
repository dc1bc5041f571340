package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/service"
)

type runOptions struct {
	once    bool
	listen  string
	logFile string
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	cmd := described("run", cobra.NoArgs)
	cmd.Flags().BoolVar(&o.once, "once", false, "do what is due, and end")
	cmd.Flags().StringVar(&o.listen, "listen", "", "serve at this `address` instead of serve.listen: /healthz, /readyz, and /metrics and the page if set")
	cmd.Flags().StringVar(&o.logFile, "log-file", "", "append the log to this `file`, with the time of each line; SIGHUP and SIGUSR1 reopen it")
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun|usesConcurrency, func(ctx context.Context, _ []string) error {
		return a.serve(ctx, o)
	})
}

func (a *app) serve(ctx context.Context, o runOptions) (err error) {
	path, err := a.SettingsPath()
	if err != nil {
		return err
	}
	l := &runLog{app: a}
	s, err := service.New(path, service.Options{
		Machine: a.Machine, Version: version().Version, Out: a.out, Timed: a.toJournal(), Hangups: a.hangups, Reopen: l.reopen,
		Run: a.runJob, Restore: a.restoreForPage, At: a.machineOf, Sender: a.sender,
	})
	if err != nil {
		return err
	}
	if a.flags.dryRun {
		return s.List()
	}
	if err := s.Own(); errors.Is(err, history.ErrOwned) {
		return exitWith(exitHeld, "%w", err)
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := l.open(o.logFile); err != nil {
		return err
	}
	defer func() { l.close(err) }()
	s.Out, s.Stderr, s.Timed = a.out, a.stderr, s.Timed || l.file != nil
	if o.once {
		return s.Once(ctx)
	}
	return s.Serve(ctx, o.listen)
}

// machineOf is this machine as a job sees it, for a repository of the settings. It says nothing.
// What looks waits shorter for storage.
func (a *app) machineOf(repository string, settings *config.Config, looks bool) (m *machine.Machine, end func()) {
	job := a.forJob(io.Discard, settings)
	job.flags.Repository = repository
	if looks {
		job.used = usesRepository | usesIdentity
	}
	return job.Machine, job.patience.End
}

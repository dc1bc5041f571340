package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/logfile"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/program"
	"github.com/packstone/packstone/cmd/internal/schedule"
	"github.com/packstone/packstone/cmd/internal/systemd"
)

type runOptions struct {
	once    bool
	listen  string
	logFile string
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run backups, retention, prune, checks and copies on schedule.",
		Long: `Runs one job after the other until it is stopped (SIGTERM or Ctrl-C). A set that was never backed up
is due at once. What came due while the machine slept or nothing ran is done once. After each backup
it applies the set's retention, if it has the key of a collector or the owner. On SIGHUP it reads
the settings again; if they are wrong it says so, and keeps the old ones. What fails is recorded in
the repository too, so that packstone status shows it on every other host.

--once does what is due and ends, for cron and similar: with 0 if all was done, 3 if something is
missing in a backup, else the code of the first failed job. -n lists the next ten jobs. packstone
status shows the results, which are kept in PACKSTONE_STATE_DIR, else $XDG_STATE_HOME/packstone.`,
		Example: `  packstone run -c /etc/packstone/packstone.yaml
  packstone run -n`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "do what is due, and end")
	cmd.Flags().StringVar(&o.listen, "listen", "", "serve at this `address` instead of serve.listen: /healthz, /readyz, and /metrics and the page if set")
	cmd.Flags().StringVar(&o.logFile, "log-file", "", "append the log to this `file`, with the time of each line; SIGHUP and SIGUSR1 reopen it")
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun|usesConcurrency, func(ctx context.Context, _ []string) error {
		return a.serve(ctx, o)
	})
}

// service is packstone run at work.
type service struct {
	*app
	path     string // of the settings
	settings *config.Config
	running  *config.Config // of the job at work, which begins and ends by the same ones
	host     string         // that the jobs are of
	history  *history.File
	teller   *notice.Teller
	reporter *daemon.Reporter
	sizes    *metrics.Sizes
	drills   *metrics.Drills
	facts    atomic.Pointer[metrics.Facts]
	daemon   *daemon.Daemon
	server   *page.Server
	scratch  *page.Scratch
	known    atomic.Pointer[shown]         // what the page shows
	atWork   atomic.Pointer[daemon.JobLog] // of the job at work; nil: none is
	life     context.Context               // ends with the service
	manager  systemd.Notifier
	log      *logfile.File   // nil: what is said goes to the standard error
	kept     map[string]bool // sets of which was told that nobody applies their retention
}

func (a *app) serve(ctx context.Context, o runOptions) (err error) {
	path, err := a.SettingsPath()
	if err != nil {
		return err
	}
	s := &service{app: a, path: path, kept: map[string]bool{}, manager: systemd.New(func(name string) string { return a.env[name] })}
	jobs, err := s.read()
	if err != nil {
		return err
	}
	if a.flags.dryRun {
		return s.list(jobs)
	}
	if s.history, err = history.Own(a.HistoryPath(path), time.Now()); err != nil {
		return ownedElsewhere(err)
	}
	defer func() { err = errors.Join(err, s.history.Close()) }()
	closeLog, err := s.openLog(o.logFile)
	if err != nil {
		return err
	}
	defer func() { closeLog(err) }()
	if aside := s.history.PutAside(); aside != "" {
		a.Warn(fmt.Sprintf("the history of jobs was damaged and is now %s: all jobs count as never run", aside))
	}
	s.facts.Store(&metrics.Facts{})
	s.remembering()
	defer s.teller.Close()
	s.sweepDrills(ctx)
	s.daemon, err = daemon.New(daemon.Options{
		Jobs: jobs, History: s.history, Run: s.job, Reload: s.reload, Changed: s.changed,
		Log: daemon.Log{Started: s.started, Ended: s.ended, Warn: a.Warn},
	})
	if err != nil {
		return err
	}
	if o.once {
		s.yield()
		runs := s.daemon.Once(ctx)
		s.changed(ctx) // where nothing was due, a set may have become late
		return s.outcome(runs)
	}
	return s.goOn(ctx, o.listen)
}

// yield lets others go first, as the settings say.
func (s *service) yield() {
	if err := program.Yield(s.settings.Nice, s.settings.IONice); err != nil {
		s.Warn(err.Error())
	}
}

// ownedElsewhere makes it an exit code of its own that there is one at work.
func ownedElsewhere(err error) error {
	if errors.Is(err, history.ErrOwned) {
		return exitWith(exitHeld, "%w", err)
	}
	return err
}

// goOn serves until the program is stopped.
func (s *service) goOn(ctx context.Context, address string) error {
	d := s.daemon
	s.life, s.scratch, s.server = ctx, s.newScratch(), s.newServer(address)
	if err := s.show(); err != nil {
		return err
	}
	defer func() {
		s.server.Close()
		s.scratch.Close()
	}()
	s.sweepScratch()
	var hangups <-chan struct{}
	if s.hangups != nil {
		hangups = s.hangups()
	}
	s.yield()
	s.say("running %s of %s", output.Plural(len(d.Jobs), "job"), s.path)
	s.manager.Ready(output.Plural(len(d.Jobs), "job"))
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.manager.Watch(watching, d.Alive)
	stopping := context.AfterFunc(ctx, s.manager.Stopping)
	defer stopping()
	d.Serve(ctx, hangups)
	s.say("ends")
	return s.out.Err()
}

// read reads the settings and finds their jobs.
func (s *service) read() ([]daemon.Job, error) {
	settings, err := config.Load(s.Done, s.path, s.env.Lookup)
	if err != nil {
		return nil, err
	}
	m := machine.New(s.env)
	m.Done = s.Done
	m.Flags = &s.flags.Flags
	if err := m.CheckJobs(settings); err != nil {
		return nil, err
	}
	if !settings.Scheduled() {
		return nil, exitWith(exitUsage, "%s schedules nothing: write schedule: \"@daily\" into a set, or jobs: with prune and check", s.path)
	}
	mayForget := m.CanDecide()
	host, err := m.JobHost()
	if err != nil {
		return nil, err
	}
	jobs, err := daemon.Jobs(settings, host, mayForget)
	if err != nil {
		return nil, err
	}
	for _, set := range daemon.Unkept(settings, mayForget) {
		if !s.kept[set] {
			s.kept[set] = true
			s.Warn(fmt.Sprintf("cannot apply the retention of the set %s without a key: set keys.collector_file to a collector's key, "+
				"or run packstone forget on another machine", set))
		}
	}
	s.settings, s.host = settings, host
	s.Adopt(settings)
	return jobs, nil
}

// reload reads the settings again. If they are wrong the old ones stay.
func (s *service) reload() ([]daemon.Job, bool) {
	s.manager.Reloading()
	s.reopenLog()
	jobs, err := s.read()
	if err != nil {
		s.Warn(fmt.Sprintf("keeping the old settings, since the new ones are wrong: %v", err))
		s.manager.Ready("the settings in the file are wrong; the old ones are in use")
		return nil, false
	}
	s.yield()
	if err := s.show(); err != nil {
		s.Warn(fmt.Sprintf("%v; what was served before is still served", err))
	}
	s.say("settings read again: %s", output.Plural(len(jobs), "job"))
	s.manager.Ready(output.Plural(len(jobs), "job"))
	return jobs, true
}

// coming is how many jobs run -n lists.
const coming = 10

// list prints what is due next.
func (s *service) list(jobs []daemon.Job) error {
	past := map[string]schedule.Past{}
	f, err := history.Read(s.HistoryPath(s.path))
	if err == nil && f != nil {
		past, err = f.Past()
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.Warn(fmt.Sprintf("%v: all jobs count as never run", err))
	}
	timings := make([]schedule.Job, len(jobs))
	for i, j := range jobs {
		timings[i] = j.Job
	}
	var rows []message.ComingJob
	table := output.Table{Head: []string{"TIME", "JOB", "WHY"}}
	for _, due := range schedule.Coming(timings, past, time.Now().Round(0), coming) {
		rows = append(rows, message.ComingJob{Job: due.Job.Name, Time: due.At, Why: due.Why})
		table.Rows = append(table.Rows, []string{output.Time(due.At), due.Job.Name, string(due.Why)})
	}
	return output.List(s.out, rows, table)
}

// outcome is how run --once ends after runs.
func (s *service) outcome(runs []*history.Run) error {
	if len(runs) == 0 {
		s.say("nothing is due")
	}
	if code := daemon.CodeOf(runs); code != exitDone {
		return exitWith(code, "%w", errReported)
	}
	return s.out.Err()
}

// say tells a person what the daemon does.
func (s *service) say(format string, args ...any) {
	s.out.Note("%spackstone run %s", s.stamp(time.Now()), fmt.Sprintf(format, args...))
}

func (s *service) started(j daemon.Job, why schedule.Why) {
	s.running = s.settings
	if j.Kind == daemon.Backup {
		s.ping(j.Set, notice.Start, "")
	}
	if s.out.JSON() {
		s.out.Message("job_started", message.Job{Job: j.Name, Why: why, Began: time.Now()}, "")
		return
	}
	s.out.Note("%s%s: begins (%s)", s.stamp(time.Now()), j.Name, why)
}

func (s *service) ended(run *history.Run) {
	s.pingEnd(run)
	if s.out.JSON() {
		s.out.Message("job_ended", message.Job{
			Job: run.Job, Why: run.Why, Began: run.Start, Duration: run.Duration.Seconds(), Outcome: run.Outcome, Code: run.Code, Cause: run.Cause,
			SnapshotID: run.Snapshot, BytesStored: run.BytesStored,
		}, "")
		return
	}
	text := fmt.Sprintf("%s%s: %s after %s", s.stamp(run.End()), run.Job, run.Outcome, run.Duration.Round(time.Millisecond))
	if run.Cause != "" {
		text += ": " + run.Cause
	}
	if run.Snapshot != "" {
		text += fmt.Sprintf("; snapshot %s, %s files, stored %s", run.Snapshot[:min(shortID, len(run.Snapshot))], output.Count(run.Files), output.Bytes(run.BytesStored))
	}
	if run.Outcome == health.Done {
		s.out.Note("%s", text)
		return
	}
	s.out.Problem("", "run", errors.New(strings.TrimSpace(text)))
}

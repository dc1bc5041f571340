// Package service is the work of packstone run: it does the jobs of a settings file when they are
// due, reads the settings again when it is told to, remembers and tells how the sets are, and shows
// that on a page. What a job does its caller says; nothing here knows the verbs.
package service

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/history"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/program"
	"github.com/packstone/packstone/cmd/internal/systemd"
)

// Options say what a Service works with. All are required but Reopen and Hangups.
type Options struct {
	Machine *machine.Machine // its settings become those of the service
	Version string
	Out     *output.Printer
	Stderr  io.Writer // takes what jobs say
	// Timed says that each line of Out and Stderr gets its time from elsewhere.
	Timed bool
	// Run does a job by settings as its verb would, and says all to said. The error is what the verb
	// would end with; Result.Code and Result.Cause are filled in from it.
	Run func(ctx context.Context, j daemon.Job, settings *config.Config, said *daemon.JobLog) daemon.Result
	// Restore restores for the page by settings.
	Restore func(ctx context.Context, settings *config.Config, w page.Wanted, follow func(func() daemon.Live)) (page.Restored, error)
	// At is this machine by settings, for a repository of them. It says nothing. looks: a person
	// waits for it. end is called when it is not needed any more.
	At func(repository string, settings *config.Config, looks bool) (m *machine.Machine, end func())
	// Sender sends notices as settings say.
	Sender  func(settings *config.Config) *notice.Sender
	Reopen  func()                 // goes on in a new log; nil: there is none
	Hangups func() <-chan struct{} // makes hangups no interrupts, and hands them over; nil: they are
}

// Service is packstone run at work.
type Service struct {
	Options
	path     string // of the settings
	settings *config.Config
	running  *config.Config // of the job at work, which begins and ends by the same ones
	host     string         // that the jobs are of
	jobs     []daemon.Job   // at the beginning
	history  *history.File
	teller   *notice.Teller
	reporter *daemon.Reporter
	sizes    *metrics.Sizes
	counts   *metrics.Counts
	drills   *metrics.Drills
	facts    atomic.Pointer[metrics.Facts]
	daemon   *daemon.Daemon
	server   *page.Server
	scratch  *page.Scratch
	known    atomic.Pointer[shown]         // what the page shows
	atWork   atomic.Pointer[daemon.JobLog] // of the job at work; nil: none is
	life     context.Context               // ends with the service
	manager  systemd.Notifier
	kept     map[string]bool // sets of which was told that nobody applies their retention
}

// New reads the settings in the file at path, and finds their jobs.
func New(path string, o Options) (*Service, error) {
	s := &Service{Options: o, path: path, kept: map[string]bool{}, manager: systemd.New(func(name string) string { return o.Machine.Env[name] })}
	var err error
	s.jobs, err = s.read()
	return s, err
}

// Own takes the history of the jobs, which only one service can have at a time: history.ErrOwned.
// The caller must call Close.
func (s *Service) Own() (err error) {
	s.history, err = history.Own(s.Machine.HistoryPath(s.path), time.Now())
	return err
}

// Close gives the history back.
func (s *Service) Close() error { return s.history.Close() }

// Once does what is due, and ends.
func (s *Service) Once(ctx context.Context) error {
	return s.work(ctx, func() error {
		s.yield()
		runs := s.daemon.Once(ctx)
		s.changed(ctx) // where nothing was due, a set may have become late
		if len(runs) == 0 {
			s.say("nothing is due")
		}
		if code := daemon.CodeOf(runs); code != exitcode.Done {
			return exitcode.With(code, "%w", exitcode.ErrReported)
		}
		return s.Out.Err()
	})
}

// Serve does what is due until ctx ends, and shows it at address, or if that is "" where the
// settings say.
func (s *Service) Serve(ctx context.Context, address string) error {
	return s.work(ctx, func() error {
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
		if s.Hangups != nil {
			hangups = s.Hangups()
		}
		s.yield()
		jobs := output.Plural(len(s.daemon.Jobs), "job")
		s.say("running %s of %s", jobs, s.path)
		s.manager.Ready(jobs)
		watching, stop := context.WithCancel(ctx)
		defer stop()
		go s.manager.Watch(watching, s.daemon.Alive)
		stopping := context.AfterFunc(ctx, s.manager.Stopping)
		defer stopping()
		s.daemon.Serve(ctx, hangups)
		s.say("ends")
		return s.Out.Err()
	})
}

// work takes up the work where the history says that it was left.
func (s *Service) work(ctx context.Context, do func() error) (err error) {
	if aside := s.history.PutAside(); aside != "" {
		s.warn(fmt.Sprintf("the history of jobs was damaged and is now %s: all jobs count as never run", aside))
	}
	s.facts.Store(&metrics.Facts{})
	s.remembering()
	defer s.teller.Close()
	s.sweepDrills(ctx)
	s.daemon, err = daemon.New(daemon.Options{
		Jobs: s.jobs, History: s.history, Run: s.job, Reload: s.reload, Changed: s.changed,
		Log: daemon.Log{Started: s.started, Ended: s.ended, Warn: s.warn},
	})
	if err != nil {
		return err
	}
	return do()
}

// yield lets others go first, as the settings say.
func (s *Service) yield() {
	if err := program.Yield(s.settings.Nice, s.settings.IONice); err != nil {
		s.warn(err.Error())
	}
}

// read reads the settings and finds their jobs.
func (s *Service) read() ([]daemon.Job, error) {
	settings, err := config.Load(s.Machine.Done, s.path, s.Machine.Env.Lookup)
	if err != nil {
		return nil, err
	}
	m := machine.New(s.Machine.Env)
	m.Done, m.Flags = s.Machine.Done, s.Machine.Flags
	if err := m.CheckJobs(settings); err != nil {
		return nil, err
	}
	if !settings.Scheduled() {
		return nil, exitcode.With(exitcode.Usage, "%s schedules nothing: write schedule: \"@daily\" into a set, or jobs: with prune and check", s.path)
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
			s.warn(fmt.Sprintf("cannot apply the retention of the set %s without a key: set keys.collector_file to a collector's key, "+
				"or run packstone forget on another machine", set))
		}
	}
	s.settings, s.host = settings, host
	s.Machine.Adopt(settings)
	return jobs, nil
}

// reload reads the settings again. If they are wrong the old ones stay.
func (s *Service) reload() ([]daemon.Job, bool) {
	s.manager.Reloading()
	if s.Reopen != nil {
		s.Reopen()
	}
	jobs, err := s.read()
	if err != nil {
		s.warn(fmt.Sprintf("keeping the old settings, since the new ones are wrong: %v", err))
		s.manager.Ready("the settings in the file are wrong; the old ones are in use")
		return nil, false
	}
	s.yield()
	if err := s.show(); err != nil {
		s.warn(fmt.Sprintf("%v; what was served before is still served", err))
	}
	s.say("settings read again: %s", output.Plural(len(jobs), "job"))
	s.manager.Ready(output.Plural(len(jobs), "job"))
	return jobs, true
}

// job runs a job as its verb would be run.
func (s *Service) job(ctx context.Context, j daemon.Job) daemon.Result {
	prefix := ""
	if !s.Out.JSON() {
		prefix = j.Name + ": "
	}
	said := daemon.NewJobLog(s.Stderr, prefix)
	s.atWork.Store(said)
	defer s.atWork.Store(nil)
	r := s.Run(ctx, j, s.running, said)
	if r.Code == exitcode.Done && j.Resizes() {
		s.measure(ctx, j)
	}
	if done := r.Code == exitcode.Done || r.Code == exitcode.Missing; done && (j.Adds() || j.Kind == daemon.Forget) {
		s.count(ctx, j)
	}
	if r.RTO > 0 {
		s.remember(j.Set, metrics.Drilled{RPO: r.RPO, RTO: r.RTO})
	}
	r.Judge(j.Kind)
	return r
}

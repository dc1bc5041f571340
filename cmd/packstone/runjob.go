package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/metrics"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
)

// jobKinds are what jobs do: what a person could type, run in this process by the same code. A new
// kind is one line here, one in daemon.Jobs and its settings.
var jobKinds = map[string]func(a *app, ctx context.Context, j daemon.Job, r *daemon.Result) error{
	daemon.Backup: (*app).backupJob,
	daemon.Forget: inEach((*app).forgetJob),
	daemon.Prune:  inEach((*app).pruneJob),
	daemon.Check:  inEach((*app).checkJob),
	daemon.Copy:   (*app).copyJob,
	daemon.Drill:  inEach((*app).drillJob),
	daemon.Keep:   inEach((*app).keepJob),
}

// inEach runs a job for each repository that the settings name, or for those that its set goes to.
// One that fails keeps no other from its turn.
func inEach(run func(*app, context.Context, daemon.Job, *daemon.Result) error) func(*app, context.Context, daemon.Job, *daemon.Result) error {
	return func(a *app, ctx context.Context, j daemon.Job, r *daemon.Result) error {
		settings, err := a.Settings()
		if err != nil {
			return err
		}
		if a.RepositoryIsNamed() || len(settings.Repositories) == 0 {
			return run(a, ctx, j, r)
		}
		set := settings.Sets[j.Set]
		for _, name := range settings.RepositoryNames() {
			if !set.GoesTo(name) || ctx.Err() != nil {
				continue
			}
			a.flags.Repository = name
			if bad := run(a, ctx, j, r); bad != nil {
				err = errors.Join(err, fmt.Errorf("repository %s: %w", name, bad))
			}
		}
		return err
	}
}

func (a *app) backupJob(ctx context.Context, j daemon.Job, r *daemon.Result) error {
	made, err := a.backup(ctx, backupOptions{dashIndex: -1, founded: true}, []string{j.Set})
	if made != nil {
		r.Snapshot, r.Files = made.SnapshotID, int64(made.TotalFilesProcessed)
		if len(made.Tripwire) > 0 {
			r.Trip = message.TripText(made.Tripwire)
		}
		r.BytesRead, r.BytesAdded, r.BytesStored = int64(made.BytesRead), int64(made.DataAdded), int64(made.DataAddedPacked)
	}
	return err
}

// forgetJob applies the retention of one set to the snapshots of this host, or that of all sets.
func (a *app) forgetJob(ctx context.Context, j daemon.Job, _ *daemon.Result) error {
	a.flags.set = j.Set
	return a.forget(ctx, forgetOptions{groupBy: defaultGroups, ownHost: j.Set != ""}, nil)
}

func (a *app) pruneJob(ctx context.Context, _ daemon.Job, r *daemon.Result) error {
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	err = a.prune(ctx, pruneOptions{deadAfter: defaultDead, rollAfter: catalog.RollAfter, maxDuration: settings.Jobs.Prune.Limit()})
	if errors.Is(err, errTimeUp) { // as it was told to be
		return nil
	}
	return err
}

func (a *app) checkJob(ctx context.Context, _ daemon.Job, r *daemon.Result) error {
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	job := settings.Jobs.Check
	o := check.Options{MaxDuration: job.Limit(), Parallel: a.flags.concurrency, Seed: uint64(time.Now().UnixNano()), Progress: new(pipeline.Progress)}
	o.Percent, o.ReadData = job.Share()
	want := demands{sums: job.Checksums}
	if o.ReadData {
		want.attest = attestAllowed
	}
	found, err := a.check(ctx, o, want)
	if found != nil {
		r.BytesRead = int64(found.BytesRead)
	}
	return err
}

// drillJob drills a set.
func (a *app) drillJob(ctx context.Context, j daemon.Job, r *daemon.Result) error {
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	report, err := a.drill(ctx, drillOptions{any: settings.Jobs.Drill.Any}, j.Set)
	if report != nil {
		r.RPO, r.RTO = output.Seconds(report.RPO), output.Seconds(report.RTO)
	}
	return err
}

// copyJob brings each repository that is written what it lacks. One that fails keeps no other from
// its turn.
func (a *app) copyJob(ctx context.Context, _ daemon.Job, r *daemon.Result) error {
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	job := settings.Jobs.Copy
	for _, name := range job.Targets() {
		if name != "" {
			a.flags.Repository = name
		}
		m, bad := a.copy(ctx, copyOptions{from: machine.From{Repository: job.From}}, nil)
		if m != nil {
			r.BytesRead += int64(m.BytesRead)
			r.BytesAdded += int64(m.DataAdded)
			r.BytesStored += int64(m.DataAddedPacked)
		}
		if bad != nil && name != "" {
			bad = fmt.Errorf("repository %s: %w", name, bad)
		}
		if err = errors.Join(err, bad); ctx.Err() != nil {
			break
		}
	}
	return err
}

// job runs a job as its verb would be run, with the settings and flags of the daemon.
func (s *service) job(ctx context.Context, j daemon.Job) (r daemon.Result) {
	prefix := ""
	if !s.out.JSON() {
		prefix = j.Name + ": "
	}
	said := daemon.NewJobLog(s.stderr, prefix)
	a := s.forJob(said, s.running)
	a.out.Follow(said.Follow)
	s.atWork.Store(said)
	defer s.atWork.Store(nil)
	err := a.classify(jobKinds[j.Kind](a, ctx, j, &r))
	a.patience.End()
	said.Finish()
	r.Code, r.Log = exitCode(ctx, err), said.Tail()
	if err == nil && j.Kind != daemon.Forget && j.Kind != daemon.Check && j.Kind != daemon.Drill && j.Kind != daemon.Keep {
		s.measure(ctx, j)
	}
	if r.RTO > 0 {
		s.remember(j.Set, metrics.Drilled{RPO: r.RPO, RTO: r.RTO})
	}
	if r.Judge(j.Kind); err != nil {
		r.Cause = causeOf(err, r.Log)
	}
	return r
}

// listedAbove is what an error says whose particulars were told already: a cause has the first of
// them in its place.
const listedAbove = daemon.ListedAbove

// causeOf is an error in one line; of what was told already, the last line of that.
func causeOf(err error, log string) string {
	return daemon.CauseOf(err.Error(), log, errors.Is(err, errReported))
}

// forJob is the program as a verb has it that runs as a job, by settings: nobody is there to be
// asked, and what it says goes to said.
func (s *service) forJob(said io.Writer, settings *config.Config) *app {
	a := newApp(process{args: s.args, env: s.env, stdin: strings.NewReader(""), stdout: s.stdout, stderr: said})
	a.Done = s.Done
	from := s.flags
	a.flags = globalFlags{
		quiet: true, json: from.json, limitUp: from.limitUp, limitDown: from.limitDown, giveUpAfter: from.giveUpAfter, giveUpGiven: from.giveUpGiven,
		memoryLimit: from.memoryLimit, concurrency: from.concurrency, connections: from.connections, Flags: from.Flags,
	}
	a.Flags = &a.flags.Flags
	a.out = output.New(output.Options{Stdout: s.stdout, Stderr: said, JSON: from.json, Quiet: true, Priorities: s.toJournal()})
	a.job, a.started, a.used, a.patience.Out = true, true, usesRepository|usesIdentity|usesDryRun|usesConcurrency, a.out
	a.Adopt(settings)
	if len(settings.Bandwidth) > 0 {
		a.bandwidth = func() (upload, download int64) { return settings.BandwidthAt(time.Now()) }
	}
	return a
}

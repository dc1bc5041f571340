package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/exitcode"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/check"
	"github.com/packstone/packstone/pipeline/collect"
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
		names := slices.DeleteFunc(settings.RepositoryNames(), func(name string) bool { return !set.GoesTo(name) })
		return daemon.Each(ctx, names, func(name string) error {
			a.flags.Repository = name
			return run(a, ctx, j, r)
		})
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
	if errors.Is(err, collect.ErrTimeUp) { // as it was told to be
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
	return daemon.Each(ctx, job.Targets(), func(name string) error {
		if name != "" {
			a.flags.Repository = name
		}
		m, err := a.copy(ctx, copyOptions{from: machine.From{Repository: job.From}}, nil)
		if m != nil {
			r.BytesRead += int64(m.BytesRead)
			r.BytesAdded += int64(m.DataAdded)
			r.BytesStored += int64(m.DataAddedPacked)
		}
		return err
	})
}

// runJob runs a job as its verb would be run, by settings and with the flags of packstone run.
func (a *app) runJob(ctx context.Context, j daemon.Job, settings *config.Config, said *daemon.JobLog) (r daemon.Result) {
	job := a.forJob(said, settings)
	job.out.Follow(said.Follow)
	err := job.classify(jobKinds[j.Kind](job, ctx, j, &r))
	job.patience.End()
	said.Finish()
	if r.Code, r.Log = exitCode(ctx, err), said.Tail(); err != nil {
		r.Cause = causeOf(err, r.Log)
	}
	return r
}

// listedAbove is what an error says whose particulars were told already: a cause has the first of
// them in its place.
const listedAbove = daemon.ListedAbove

// causeOf is an error in one line; of what was told already, the last line of that.
func causeOf(err error, log string) string {
	return daemon.CauseOf(err.Error(), log, errors.Is(err, exitcode.ErrReported))
}

// forJob is the program as a verb has it that runs as a job, by settings: nobody is there to be
// asked, and what it says goes to said.
func (a *app) forJob(said io.Writer, settings *config.Config) *app {
	job := newApp(process{args: a.args, env: a.env, stdin: strings.NewReader(""), stdout: a.stdout, stderr: said})
	job.Done = a.Done
	from := a.flags
	job.flags = globalFlags{
		quiet: true, json: from.json, limitUp: from.limitUp, limitDown: from.limitDown, giveUpAfter: from.giveUpAfter, giveUpGiven: from.giveUpGiven,
		memoryLimit: from.memoryLimit, concurrency: from.concurrency, connections: from.connections, Flags: from.Flags,
	}
	job.Flags = &job.flags.Flags
	job.out = output.New(output.Options{Stdout: a.stdout, Stderr: said, JSON: from.json, Quiet: true, Priorities: a.toJournal()})
	job.job, job.started, job.used, job.patience.Out = true, true, usesRepository|usesIdentity|usesDryRun|usesConcurrency, job.out
	job.Adopt(settings)
	if len(settings.Bandwidth) > 0 {
		job.bandwidth = func() (upload, download int64) { return settings.BandwidthAt(time.Now()) }
	}
	return job
}

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/plan"
	"github.com/packstone/packstone/cmd/internal/reception"
	"github.com/packstone/packstone/cmd/internal/status"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fit"
)

func newBackup(a *app) *cobra.Command {
	var o backupOptions
	cmd := described("backup", nil)
	o.register(cmd.Flags())
	return a.verb(cmd, usesRepository|usesIdentity|usesRecipients|usesDryRun|usesSelection|usesConcurrency, func(ctx context.Context, args []string) error {
		o.dashIndex = cmd.ArgsLenAtDash()
		o.changed = cmd.Flags().Changed
		_, err := a.backup(ctx, o, args)
		return err
	})
}

// backup takes what args name, and prints and returns what it took, nil if that did not become a
// snapshot. Of several repositories it is what the first took that has one.
func (a *app) backup(ctx context.Context, o backupOptions, args []string) (*message.Backup, error) {
	to, err := a.goesTo(o, args)
	if err != nil {
		return nil, err
	}
	if len(to) > 1 {
		return a.backupToEach(ctx, o, args, to)
	}
	run, err := a.planBackup(o, args)
	if err != nil {
		return nil, err
	}
	if err := a.foundRepository(ctx, o); err != nil {
		return nil, err
	}
	r := new(reception.Reception)
	if err := a.openFor(ctx, &run, 0, r); err != nil {
		return nil, a.hookRunner(run).Fail(ctx, run.hooks, err)
	}
	err = a.underHooks(ctx, run, func(ctx context.Context) error { return a.runBackup(ctx, r, run, o) })
	return r.Made.Told(), err
}

// openFor opens the repository that is meant, and finds out for which host it is backed up.
func (a *app) openFor(ctx context.Context, run *plannedBackup, how machine.Access, r *reception.Reception) (err error) {
	if r.Repo, r.Storage, err = a.OpenRepository(ctx, machine.MayRead|machine.MustWrite|how); err != nil {
		return err
	}
	if r.Name == "" {
		a.out.Note("repository %s", r.Storage.Location())
	}
	if run.Host, err = a.Speak(r.Repo, a.flags.host); err == nil && !a.flags.dryRun {
		r.Storage.KeepReserve(ctx)
	}
	return err
}

// foundRepository makes the repository where that is asked for or does no harm, and says what it has
// made. Recipients are for one that is made.
func (a *app) foundRepository(ctx context.Context, o backupOptions) (err error) {
	making := false
	if !o.founded && !a.flags.dryRun {
		if making, err = a.MayMakeFirst(ctx, o.init, !a.flags.json && !a.flags.quiet); err != nil {
			return err
		}
	}
	if len(a.flags.Recipients) > 0 && !making {
		return usage("--recipient cannot be used with backup: the repository exists, and its owner decides who can restore (packstone key add)")
	}
	if !making {
		return nil
	}
	made, err := a.makeRepository(ctx, initOptions{})
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(made.Text(), "\n") {
		a.out.Note("%s", line)
	}
	a.out.Note("")
	return nil
}

// plannedBackup is a backup and the hooks around it.
type plannedBackup struct {
	backup.Options
	hooks hook.Hooks
	fit   *fit.Check // whether its sources fit together; nil: nobody has said how
}

// underHooks runs work between the commands around a backup, if there are any.
func (a *app) underHooks(ctx context.Context, run plannedBackup, work func(ctx context.Context) error) error {
	a.snapshotID = ""
	return a.hookRunner(run).Run(ctx, run.hooks, work)
}

// hookRunner runs the commands around a backup.
func (a *app) hookRunner(run plannedBackup) hook.Runner {
	return hook.Runner{
		Env:    append(a.env.ForPrograms(run.hooks.Environment...), "PACKSTONE_SET="+run.Set),
		Output: a.stderr,
		Result: func(err error) hook.Result {
			code := exitCode(context.Background(), err)
			if errors.Is(err, context.Canceled) {
				code = exitInterrupted
			}
			return hook.ResultOf(code, a.snapshotID)
		},
	}
}

// planBackup finds out what is to be backed up, without touching it.
func (a *app) planBackup(o backupOptions, args []string) (run plannedBackup, err error) {
	run.Options = o.Options
	run.User, run.Tags, run.DryRun = machine.UserName(), a.flags.tags, a.flags.dryRun
	run.Concurrency, run.Progress = a.flags.concurrency, new(pipeline.Progress)
	if run.PackSize, err = backup.PackSize(int64(o.packSize), int64(a.flags.memoryLimit)); err != nil {
		return run, err
	}
	if run.Time, err = catalog.ParseSnapshotTime(o.time, time.Now()); err != nil {
		return run, usage("--time: %w", err)
	}
	planned, err := a.planSources(o, args)
	if !o.accept {
		run.Tripwire = planned.Tripwire
	}
	run.MaxAge, run.NotBackedUp = planned.MaxAge, planned.LeftOut
	if run.fit = planned.Fit; run.fit != nil {
		run.Fit = run.fit.Judge
	}
	if run.Set, run.Jobs = planned.Set, planned.Jobs; !run.DryRun {
		run.hooks = planned.Hooks
	}
	return run, err
}

func (a *app) planSources(o backupOptions, args []string) (plan.Plan, error) {
	switch {
	case o.command || o.dashIndex >= 0:
		return a.planCommand(o, args)
	case o.stdin:
		return a.planStdin(o, args)
	}
	args, err := o.withListed(args, a.Done, a.stdin)
	if err != nil {
		return plan.Plan{}, err
	}
	paths, err := o.paths(a.Done)
	if err != nil {
		return plan.Plan{}, err
	}
	return a.planner().Arguments(args, paths, func(paths bool) error {
		if paths {
			return o.refuse("the backup of paths", commandFlags...)
		}
		return o.refuse("the backup of a set or source, which the settings file describes,", slices.Concat(pathFlags, commandFlags, []string{"allow-empty"})...)
	})
}

func (a *app) planCommand(o backupOptions, args []string) (plan.Plan, error) {
	if !o.command || o.dashIndex != 0 || len(args) == 0 {
		return plan.Plan{}, usage("want backup --stdin-from-command [--name NAME] -- COMMAND [ARGUMENT...]")
	}
	if err := o.refuse("the backup of a command", append(pathFlags, "stdin")...); err != nil {
		return plan.Plan{}, err
	}
	return a.planner().Command(config.CommandOptions{Command: args, Name: o.fileName(), AllowEmpty: o.how.AllowEmpty})
}

// planStdin plans the backup of what is piped in.
func (a *app) planStdin(o backupOptions, args []string) (plan.Plan, error) {
	if len(args) > 0 {
		return plan.Plan{}, usage("--stdin backs up the standard input alone; back up %s in a run of its own", args[0])
	}
	if err := o.refuse("the backup of the standard input", pathFlags...); err != nil {
		return plan.Plan{}, err
	}
	if a.CanAsk() {
		return plan.Plan{}, usage("--stdin: the standard input is a terminal; pipe something in, as in pg_dump platform | packstone backup --stdin --stdin-filename dump.sql")
	}
	return a.planner().Command(config.CommandOptions{Input: input.Until(a.Done, a.stdin), Name: o.fileName(), AllowEmpty: o.how.AllowEmpty})
}

func (a *app) planner() *plan.Planner {
	return &plan.Planner{Machine: a.Machine, Set: a.flags.set, Parallel: a.flags.concurrency, Stderr: a.stderr, Bucket: a.bucketLogin(), Warn: a.warnOf,
		Preview: a.flags.dryRun, Dangling: a.tellDangling()}
}

// runBackup makes a snapshot, notes it in r, and prints what it took. There may be a snapshot and an
// error.
func (a *app) runBackup(ctx context.Context, r *reception.Reception, run plannedBackup, flags backupOptions) error {
	begun, o := time.Now(), run.Options
	defer run.fit.Close()
	run.fit.Scratch(r.Repo.Scratch())
	o.Uploads = r.Storage.Uploads
	o.Problem = func(path string, err error) { a.out.Problem(path, "backup", err) }
	o.Advice = a.Warn
	if a.flags.verbose > 0 {
		o.Taken = func(source string, e *entry.Entry, action backup.Action) {
			a.out.Detail(output.VerboseStatus{Action: string(action), Item: message.Place(source, e.Path), DataSize: e.Size})
		}
	}
	stop := a.out.Progress(flags.counts(o.Progress))
	snapshot, err := backup.Run(ctx, r.Repo, o)
	stop()
	if snapshot == nil {
		return err
	}
	unchanged := errors.Is(err, backup.ErrUnchanged)
	if unchanged {
		err = nil
	}
	summary := message.BackupOf(snapshot, o, time.Since(begun))
	summary.RepositoryName, _ = a.RepositoryName()
	summary.Requests, summary.Repository = r.Storage.Counts.Totals(), output.Name(r.Storage.Location())
	if unchanged {
		summary.SnapshotID, summary.Unchanged = "", snapshot.Parent
	}
	if !o.DryRun && !unchanged {
		status.RememberBackup(r.Repo.Cache, &summary, time.Now())
	}
	a.snapshotID = summary.SnapshotID
	a.out.Summary(summary, summary.Text())
	a.tellRequests(summary.Requests)
	if err == nil {
		err = a.shortcoming(snapshot, o.Tripwire.Named, summary.Missed)
	}
	r.Made = &reception.Made{Snapshot: snapshot, Summary: summary}
	return errors.Join(err, a.out.Err())
}

// shortcoming is what is wrong with a snapshot that was made, nil if nothing. One that looks like a
// loss is a failure where somebody has said by which limits; by the usual ones it may be a day of
// much work, and is told.
func (a *app) shortcoming(s *catalog.Snapshot, named bool, missed uint64) error {
	for _, trip := range s.Tripwire {
		if trip.IsLoss() {
			a.out.Warn(output.Warning{Message: "tripwire: " + trip.String()})
		}
	}
	loss := "the snapshot looks like a loss: it is kept and marked, and takes no other's place. If all is as it should be, back up once with --accept-tripwire"
	if a.flags.dryRun {
		loss = "the snapshot would be marked, since it looks like a loss"
	}
	unfit := a.tellUnfit(s.References)
	switch {
	case s.LooksLost() && named && !unfit:
		return exitWith(exitMissing, "%s", loss)
	case s.LooksLost():
		a.out.Warn(output.Warning{Message: loss})
	}
	if unfit {
		return exitWith(exitDrill, "the sources do not fit together%s; the snapshot is kept and marked. packstone check --references %s tests it again", listedAbove, s.ShortID())
	}
	if !s.Complete() {
		return exitWith(exitMissing, "%s missing or changed during the backup (listed above)", output.Plural(missed, "entry"))
	}
	return nil
}

// counts are what progress shows.
func (o *backupOptions) counts(p *pipeline.Progress) func() output.Counts {
	if o.noScan {
		return meter.WithoutTotals(meter.Of(p))
	}
	return meter.Of(p)
}

// shortID is how much of a snapshot's id is shown.
const shortID = catalog.ShortID

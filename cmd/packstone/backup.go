package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/plan"
	"github.com/packstone/packstone/cmd/internal/status"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fit"
)

func newBackup(a *app) *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup [SET|SOURCE|PATH...]",
		Short: "Back up paths, or sets and sources of the settings file.",
		Long: `A name in the settings file is a set or a source; ./name and absolute paths are always paths.

--init creates the repository and its keys if there are none. Without it, the first backup of a
machine asks on a terminal whether to create them in $XDG_DATA_HOME/packstone/repository. Elsewhere
it creates them only if nothing else can be meant: HOME is the user's home directory, nobody uses
sudo, and there are no settings, keys or PACKSTONE_* variables that name them. Otherwise it ends
with exit code 10.`,
		Example: `  packstone backup ~/project
  packstone backup --stdin-from-command --name dump.sql -- pg_dump platform`,
	}
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
	repo, storage, err := a.OpenRepository(ctx, machine.MayRead|machine.MustWrite)
	if err == nil {
		a.out.Note("repository %s", storage.Location())
		run.Host, err = a.Speak(repo, a.flags.host)
	}
	if err != nil {
		return nil, a.hookRunner(run).Fail(ctx, run.hooks, err)
	}
	if !a.flags.dryRun {
		storage.KeepReserve(ctx)
	}
	var made *madeSnapshot
	err = a.underHooks(ctx, run, func(ctx context.Context) (err error) {
		made, err = a.runBackup(ctx, repo, storage, run, o.counts(run.Progress))
		return err
	})
	return made.told(), err
}

// foundRepository makes the repository where that is asked for or does no harm. Recipients are for
// one that is made.
func (a *app) foundRepository(ctx context.Context, o backupOptions) (err error) {
	making := false
	if !o.founded {
		if making, err = a.makeFirstRepository(ctx, o.init); err != nil {
			return err
		}
	}
	if len(a.flags.Recipients) > 0 && !making {
		return usage("--recipient cannot be used with backup: the repository exists, and its owner decides who can restore (packstone key add)")
	}
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

// hookRunner runs the commands around a backup. What they learn of it: PACKSTONE_SET, and
// afterwards PACKSTONE_RESULT, _EXIT_CODE and _SNAPSHOT.
func (a *app) hookRunner(run plannedBackup) hook.Runner {
	return hook.Runner{
		Env:    append(a.env.ForPrograms(run.hooks.Environment...), "PACKSTONE_SET="+run.Set),
		Output: a.stderr,
		Result: func(err error) hook.Result {
			code := exitCode(context.Background(), err)
			if errors.Is(err, context.Canceled) {
				code = exitInterrupted
			}
			env := []string{"PACKSTONE_RESULT=" + resultWord(code, a.snapshotID != ""), "PACKSTONE_EXIT_CODE=" + strconv.Itoa(code), "PACKSTONE_SNAPSHOT=" + a.snapshotID}
			return hook.Result{Made: err == nil || (code == exitMissing || code == exitDrill) && a.snapshotID != "", Env: env}
		},
	}
}

// resultWord is how a backup has ended, in a word.
func resultWord(code int, made bool) string {
	switch {
	case code == exitDone:
		return "success"
	case (code == exitMissing || code == exitDrill) && made:
		return "incomplete"
	case code == exitInterrupted:
		return "interrupted"
	}
	return "failed"
}

// planBackup finds out what is to be backed up, without touching it.
func (a *app) planBackup(o backupOptions, args []string) (run plannedBackup, err error) {
	run.Options = backup.Options{
		User: machine.UserName(), Tags: a.flags.tags, Description: o.description, Force: o.force, DryRun: a.flags.dryRun,
		Parent: o.parent, SkipUnchanged: o.skipUnchanged,
		Concurrency: a.flags.concurrency, Progress: new(pipeline.Progress),
	}
	if run.PackSize, err = packSize(o.packSize, a.flags.memoryLimit); err != nil {
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

// packSize is the size of packs that was asked for, less than usual where memory is tight.
func packSize(asked, memory flagvalue.Size) (int, error) {
	if asked == 0 && memory > 0 && memory < 128<<20 {
		return 8 << 20, nil
	}
	if asked == 0 {
		return 0, nil
	}
	if err := archive.CheckPackSize(int(asked)); err != nil {
		return 0, usage("--pack-size: %w", err)
	}
	return int(asked), nil
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
	return a.planner().Command(config.CommandOptions{Command: args, Name: o.fileName(), AllowEmpty: o.empty})
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
	return a.planner().Command(config.CommandOptions{Input: input.Until(a.Done, a.stdin), Name: o.fileName(), AllowEmpty: o.empty})
}

func (a *app) planner() *plan.Planner {
	return &plan.Planner{Machine: a.Machine, Set: a.flags.set, Parallel: a.flags.concurrency, Stderr: a.stderr, Bucket: a.bucketLogin(), Warn: a.warnOf,
		Preview: a.flags.dryRun, Dangling: a.tellDangling()}
}

// madeSnapshot is a snapshot and what is told of it; nil: there is none.
type madeSnapshot struct {
	*catalog.Snapshot
	summary message.Backup
}

func (m *madeSnapshot) told() *message.Backup {
	if m == nil {
		return nil
	}
	return &m.summary
}

// runBackup makes a snapshot and prints what it took. There may be a snapshot and an error.
func (a *app) runBackup(ctx context.Context, repo *catalog.Repository, storage *config.Storage, run plannedBackup, counts func() output.Counts) (*madeSnapshot, error) {
	begun, o := time.Now(), run.Options
	defer run.fit.Close()
	run.fit.Scratch(repo.Scratch())
	o.Uploads = storage.Uploads
	o.Problem = func(path string, err error) { a.out.Problem(path, "backup", err) }
	o.Advice = a.Warn
	if a.flags.verbose > 0 {
		o.Taken = func(source string, e *entry.Entry, action backup.Action) {
			a.out.Detail(output.VerboseStatus{Action: string(action), Item: message.Place(source, e.Path), DataSize: e.Size})
		}
	}
	stop := a.out.Progress(counts)
	snapshot, err := backup.Run(ctx, repo, o)
	stop()
	if snapshot == nil {
		return nil, err
	}
	unchanged := errors.Is(err, backup.ErrUnchanged)
	if unchanged {
		err = nil
	}
	summary := message.BackupOf(snapshot, o, time.Since(begun))
	summary.RepositoryName, _ = a.RepositoryName()
	summary.Requests, summary.Repository = storage.Counts.Totals(), output.Name(storage.Location())
	if unchanged {
		summary.SnapshotID, summary.Unchanged = "", snapshot.Parent
	}
	if !o.DryRun && !unchanged {
		status.RememberBackup(repo.Cache, &summary, time.Now())
	}
	a.snapshotID = summary.SnapshotID
	a.out.Summary(summary, summary.Text())
	a.tellRequests(summary.Requests)
	if err == nil {
		err = a.shortcoming(snapshot, o.Tripwire.Named, summary.Missed)
	}
	return &madeSnapshot{snapshot, summary}, errors.Join(err, a.out.Err())
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

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/collect"
)

// graceFlags say how long what was forgotten stays.
type graceFlags struct {
	period flagvalue.Period
	yes    bool
}

func (g *graceFlags) register(flags *pflag.FlagSet) {
	flags.Var(&g.period, "grace", "delete what was forgotten this `time` ago, such as 12h or 0, instead of after the grace period; a shorter one needs the owner's key")
	flags.BoolVar(&g.yes, "yes", false, "do not ask before --grace deletes what could still be brought back")
}

type pruneOptions struct {
	graceFlags
	repackFlags
	plan, apply, explain string
	maxUnused            flagvalue.Share
	maxDuration          time.Duration
	deadAfter            time.Duration
	rollAfter            int
}

// defaultWait is for how long prune waits for backups that are at work, and defaultDead how old an
// open session must be to be declared dead.
const (
	defaultWait = 10 * time.Minute
	defaultDead = 24 * time.Hour
)

func newPrune(a *app) *cobra.Command {
	var o pruneOptions
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete data that no snapshot needs. Backups may run meanwhile.",
		Long: `Deletes forgotten snapshots whose grace period is over (7 days, unless the owner has set another),
and each pack that no snapshot needs. With --repack, which needs an identity, it also copies used
data out of packs that are mostly unused. It needs the owner's key or a collector's, and reads
neither names nor contents.

It waits for backups that were running when it began. A backup that was killed is treated as dead
after a day, or at once if it ran on this machine. An interrupted prune does no harm; the next one
continues.`,
		Example: `  packstone prune --repack --max-repack-size 20GiB
  packstone prune --plan plan.json && packstone prune --apply plan.json`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.plan, "plan", "", "write what would be deleted, and why, to this `file`, and delete nothing")
	flags.StringVar(&o.apply, "apply", "", "delete exactly what the plan in this `file` lists, or say what has changed since")
	flags.StringVar(&o.explain, "explain", "", "show why this `pack` is kept")
	flags.Var(&o.maxUnused, "max-unused", "do nothing while at most this `share` of the repository is unused (default 0%); with --repack, the share that may stay (default 5%)")
	flags.DurationVar(&o.maxDuration, "max-duration", 0, "stop after this `time`; the next run continues")
	flags.DurationVar(&o.deadAfter, "dead-after", defaultDead, "treat backups without progress for this `time` as dead; one that still runs starts again")
	flags.IntVar(&o.rollAfter, "roll-up-after", catalog.RollAfter, "compact old records when there are this `number` of them")
	o.graceFlags.register(flags)
	o.repackFlags.register(flags)
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun, func(ctx context.Context, _ []string) error { return a.prune(ctx, o) })
}

func (a *app) prune(ctx context.Context, o pruneOptions) error {
	if chosen := btoi(o.plan != "") + btoi(o.apply != "") + btoi(o.explain != ""); chosen > 1 {
		return usage("--plan, --apply and --explain exclude each other")
	}
	if err := o.repackFlags.check(o.plan != "" || o.apply != "" || o.explain != ""); err != nil {
		return err
	}
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide)
	if err != nil {
		return err
	}
	switch {
	case o.explain != "":
		return a.explainPack(ctx, repo, o)
	case o.plan != "" || a.flags.dryRun:
		return a.planPrune(ctx, repo, o)
	}
	return a.pruneNow(ctx, repo, o)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// pruneNow deletes what is dead.
func (a *app) pruneNow(ctx context.Context, repo *catalog.Repository, o pruneOptions) error {
	run, err := a.collectOptions(ctx, repo, o)
	if err != nil {
		return err
	}
	if o.apply != "" {
		if run.Only, err = readPlan(a.Done, o.apply, repo.Format.Repository); err != nil {
			return err
		}
	}
	if err := a.letForget(ctx, repo, run.By); err != nil {
		return err
	}
	if err := a.letRepack(ctx, repo, run); err != nil {
		return err
	}
	if o.maxDuration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.maxDuration, errTimeUp)
		defer cancel()
	}
	stop := a.out.Progress(meter.OfCollection(run.Progress))
	report, err := collect.Run(ctx, repo, run)
	stop()
	if storage, ok := repo.Store.(*config.Storage); ok {
		storage.KeepReserve(ctx) // it may have been used up
		a.noteVersions(ctx, run.Locker, report.Deleted)
	}
	return a.reportPrune(report, err)
}

// errTimeUp ends a run at --max-duration.
var errTimeUp = errors.New("the time is up")

// reportPrune tells what was done, be it that not all was.
func (a *app) reportPrune(report *collect.Report, err error) error {
	m := message.PruneOf(report)
	for _, name := range report.Ended {
		a.out.Note("declared %s dead: it was killed", name)
	}
	switch {
	case errors.Is(err, errTimeUp):
		err = exitWith(exitMissing, "%w (--max-duration): deleted %s, %s; the next run continues", err, output.Plural(m.Packs, "pack"), output.Bytes(m.Bytes))
	case errors.Is(err, collect.ErrChanged):
		err = fmt.Errorf("%w; nothing was deleted", err)
	case errors.Is(err, store.ErrDenied) && !errors.Is(err, store.ErrArchived):
		err = fmt.Errorf("%w: the credentials must be allowed to delete, as packstone doctor --print-policy collector prints", err)
	}
	if err != nil {
		return err
	}
	a.out.Summary(m, m.Text())
	return a.out.Err()
}

// noteVersions says where what was deleted goes on taking room, since the bucket keeps versions.
func (a *app) noteVersions(ctx context.Context, locker store.Locker, deleted int) {
	if locker == nil || deleted == 0 {
		return
	}
	found, err := locker.Protection(ctx)
	switch {
	case err != nil || !found.Versions: // who may not ask can't be told
	case found.Old > 0:
		a.out.Note("the bucket keeps versions: what was deleted takes room until its rule removes it, %s later, and until its lock ends", retention.Period(found.Old))
	default:
		a.out.Note("the bucket keeps versions: what was deleted goes on taking room until a rule of its lifecycle removes old versions; see docs/immutability.md")
	}
}

// collectOptions is how a run goes.
func (a *app) collectOptions(ctx context.Context, repo *catalog.Repository, o pruneOptions) (run collect.Options, err error) {
	run = collect.Options{DeadAfter: o.deadAfter, RollAfter: o.rollAfter, Wait: defaultWait, MaxUnused: o.maxUnused.Percent / 100, Progress: &collect.Progress{}}
	run.Warn = func(text string) { a.out.Note("%s", text) }
	if o.maxDuration > 0 {
		run.Wait = o.maxDuration
	}
	if storage, ok := repo.Store.(*config.Storage); ok {
		run.Locker = storage.Locker()
	}
	run.Repack = a.repackOptions(repo, o)
	if run.Repack != nil { // what is all dead goes whatever the share
		run.MaxUnused = 0
	}
	if run.By, err = a.decider(ctx, repo); err != nil {
		return run, err
	}
	if run.Grace, err = a.grace(repo, o.graceFlags); err != nil {
		return run, err
	}
	address, err := a.Repository()
	run.Settle, run.Linger = address.Settle()
	return run, err
}

// grace is how long what was forgotten stays: what the owner has signed, or another time that
// whoever runs this may choose.
func (a *app) grace(repo *catalog.Repository, o graceFlags) (time.Duration, error) {
	signed, err := repo.Config.GracePeriod()
	if err != nil || !o.period.Given {
		return signed, err
	}
	chosen := o.period.Length
	if chosen >= signed {
		return chosen, nil
	}
	if repo.Collector() != nil {
		return 0, exitWith(exitRefused, "--grace %s is below the owner's grace period of %s, which binds collectors", &o.period, retention.Period(signed))
	}
	if a.flags.dryRun || o.yes {
		return chosen, nil
	}
	why := fmt.Sprintf("what was forgotten more than %s ago is deleted, and cannot be brought back", retention.Period(chosen))
	if !a.CanAsk() {
		return 0, exitWith(exitRefused, "--grace %s: %s; confirm with --yes", &o.period, why)
	}
	if ok, err := a.Confirm([]string{why}); err != nil || !ok {
		return 0, errors.Join(err, exitWith(exitRefused, "nothing was changed"))
	}
	return chosen, nil
}

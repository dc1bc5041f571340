package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/catalog/retention"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/flagvalue"
	"github.com/packstone/packstone/cmd/internal/input"
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
	cmd := described("prune", cobra.NoArgs)
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
	chosen := slices.DeleteFunc([]string{o.plan, o.apply, o.explain}, func(file string) bool { return file == "" })
	if len(chosen) > 1 {
		return usage("--plan, --apply and --explain exclude each other")
	}
	if err := o.repackFlags.check(len(chosen) > 0); err != nil {
		return err
	}
	if o.explain != "" {
		if err := collect.CheckPack(o.explain); err != nil {
			return err
		}
	}
	repo, _, err := a.OpenRepository(ctx, machine.MayRead|machine.MayWrite|machine.MayDecide)
	if err != nil {
		return err
	}
	switch {
	case o.explain != "":
		return a.explainPack(ctx, repo, o.explain)
	case o.plan != "" || a.flags.dryRun:
		return a.planPrune(ctx, repo, o)
	}
	return a.pruneNow(ctx, repo, o)
}

// pruneNow deletes what is dead.
func (a *app) pruneNow(ctx context.Context, repo *catalog.Repository, o pruneOptions) error {
	run, err := a.collectOptions(ctx, repo, o)
	if err != nil {
		return err
	}
	if o.apply != "" {
		read := func(name string, most int64) ([]byte, error) { return input.ReadFile(a.Done, name, most) }
		if run.Only, err = collect.ReadPlan(o.apply, repo.Format.Repository, read); err != nil {
			return err
		}
	}
	if err := a.letForget(ctx, repo, run.By); err != nil {
		return err
	}
	if err := a.letRepack(ctx, repo, run); err != nil {
		return err
	}
	stop := a.out.Progress(meter.OfCollection(run.Progress))
	report, err := collect.Run(ctx, repo, run)
	stop()
	if storage, ok := repo.Store.(*config.Storage); ok {
		storage.KeepReserve(ctx) // it may have been used up
	}
	if run.Locker != nil && report.Deleted > 0 {
		if found, err := run.Locker.Protection(ctx); err == nil && found.Versions { // who may not ask can't be told
			a.out.Note("%s", message.OldVersions(found))
		}
	}
	m := message.PruneOf(report)
	for _, name := range report.Ended {
		a.out.Note("declared %s dead: it was killed", name)
	}
	if err := m.Outcome(err); err != nil {
		return err
	}
	return a.out.Summary(m, m.Text())
}

// collectOptions is how a run goes.
func (a *app) collectOptions(ctx context.Context, repo *catalog.Repository, o pruneOptions) (run collect.Options, err error) {
	run = collect.Options{
		DeadAfter: o.deadAfter, RollAfter: o.rollAfter, Wait: cmp.Or(o.maxDuration, defaultWait), MaxDuration: o.maxDuration,
		MaxUnused: o.maxUnused.Percent / 100, Repack: a.repackOptions(repo, o), Progress: &collect.Progress{},
		Warn: func(text string) { a.out.Note("%s", text) },
	}
	if storage, ok := repo.Store.(*config.Storage); ok {
		run.Locker = storage.Locker()
	}
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

// grace is how long what was forgotten stays. A person is asked about less than the owner has signed.
func (a *app) grace(repo *catalog.Repository, o graceFlags) (time.Duration, error) {
	grace, sooner, err := admin.Grace(repo, o.period.Chosen(), o.period.String())
	if err != nil || !sooner || a.flags.dryRun || o.yes {
		return grace, err
	}
	why := fmt.Sprintf("what was forgotten more than %s ago is deleted, and cannot be brought back", retention.Period(grace))
	return grace, a.Agree("--grace "+o.period.String()+": ", why)
}

// planPrune says what prune would delete, and writes it down if it was asked to.
func (a *app) planPrune(ctx context.Context, repo *catalog.Repository, o pruneOptions) error {
	o.yes = true // a plan deletes nothing, so that nobody is asked
	grace, err := a.grace(repo, o.graceFlags)
	if err != nil {
		return err
	}
	term := catalog.Term{Now: time.Now(), Grace: grace}
	plan, err := collect.MakePlan(ctx, repo, term)
	if err != nil {
		return err
	}
	var repack message.Repack
	if options := a.repackOptions(repo, o); options != nil {
		thinning, err := options.Plan(ctx, repo, term)
		if err != nil {
			return err
		}
		repack = message.RepackPlanOf(thinning)
	}
	for _, p := range plan.Packs {
		a.out.Detail(output.VerboseStatus{Action: "delete", Item: output.Name(p.Kind.Object(p.Name)), DataSize: p.Size})
	}
	if o.plan != "" {
		if err := plan.WritePlan(o.plan, repo.Format.Repository, term); err != nil {
			return err
		}
	}
	m := message.PrunePlanOf(plan, repack, o.plan)
	return a.out.Summary(m, m.Text())
}

// explainPack says what keeps a pack.
func (a *app) explainPack(ctx context.Context, repo *catalog.Repository, name string) error {
	pack, err := collect.FindPack(ctx, repo, name)
	if err != nil {
		return err
	}
	v, err := a.readLog(ctx, repo)
	if err != nil {
		return err
	}
	grace, err := repo.Config.GracePeriod()
	if err != nil {
		return err
	}
	reasons, err := collect.Explain(ctx, repo, v.Log, pack.Name, catalog.Term{Now: time.Now(), Grace: grace})
	if err != nil {
		return err
	}
	m := message.ExplainOf(pack, reasons)
	return a.out.Message("explain", m, m.Text(grace))
}

// repackFlags say whether packs are copied anew of which a part is dead.
type repackFlags struct {
	repack bool
	most   flagvalue.Size
}

func (f *repackFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.repack, "repack", false, "copy used data out of packs that are mostly unused; needs an identity")
	flags.Var(&f.most, "max-repack-size", "with --repack, read at most this `size` of packs, such as 20GiB")
}

func (f *repackFlags) check(other bool) error {
	switch {
	case f.repack && other:
		return usage("--repack goes with none of --plan, --apply and --explain; -n says what it would do")
	case !f.repack && f.most > 0:
		return usage("--max-repack-size is for --repack")
	}
	return nil
}

// defaultUnused is the share of what is stored that --repack leaves dead.
const defaultUnused = 0.05

// repackOptions are how packs are copied anew; nil: they are not.
func (a *app) repackOptions(repo *catalog.Repository, o pruneOptions) *collect.Repack {
	if !o.repack {
		return nil
	}
	repack := &collect.Repack{Share: defaultUnused, Most: int64(o.most), Fetch: a.fetchOptions()}
	if o.maxUnused.Given {
		repack.Share = o.maxUnused.Percent / 100
	}
	if storage, ok := repo.Store.(*config.Storage); ok {
		repack.Archiver = storage.Archiver()
	}
	return repack
}

// letRepack makes sure that packs can be copied anew if that was asked for.
func (a *app) letRepack(ctx context.Context, repo *catalog.Repository, run collect.Options) error {
	if run.Repack == nil {
		return nil
	}
	before := repo.Config.Number
	err := run.Repack.Allow(ctx, repo, run.By)
	if err == nil && repo.Config.Number != before {
		a.out.Note("from now on the repository needs a version of packstone that knows what copied packs are (configuration %d)", repo.Config.Number)
	}
	return err
}

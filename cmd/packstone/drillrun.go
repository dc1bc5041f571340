package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/plan"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/platform/drill"
)

type drillOptions struct {
	any       bool
	clean     bool
	directory string
}

func newDrillRun(a *app) *cobra.Command {
	var o drillOptions
	cmd := described("drill-run", cobra.MaximumNArgs(1))
	flags := cmd.Flags()
	flags.BoolVar(&o.any, "any", false, "choose among all complete snapshots by chance, instead of the newest one")
	flags.BoolVar(&o.clean, "clean", false, "only remove what drills that were killed have left")
	flags.StringVar(&o.directory, "scratch", "", "`directory` below which scratch places are made (default drill.directory of the set, else packstone-drill-UID in /var/tmp)")
	return a.verb(cmd, usesRepository|usesIdentity|usesDryRun|usesSelection|usesPast|usesConcurrency, func(ctx context.Context, args []string) error {
		set := a.flags.set
		if len(args) == 1 {
			if a.flags.setGiven {
				return usage("name the set once: as SET or with --set")
			}
			set = args[0]
		}
		if o.clean {
			return a.cleanDrills(ctx, o, args)
		}
		_, err := a.drill(ctx, o, set)
		return err
	})
}

// cleanDrills removes what drills that were killed have left.
func (a *app) cleanDrills(ctx context.Context, o drillOptions, args []string) error {
	if a.flags.dryRun || o.any || len(args) > 0 {
		return usage("--clean goes with --scratch alone")
	}
	settings, err := a.Settings()
	if err != nil {
		return err
	}
	dirs, err := plan.DrillDirectories(o.directory, settings)
	if err != nil {
		return err
	}
	found := 0
	for _, dir := range dirs {
		removed, bad := drill.Clean(ctx, dir, plan.ScratchDatabases())
		for _, room := range removed {
			a.out.Line("removed %s", output.Name(room))
		}
		found, err = found+len(removed), errors.Join(err, bad)
	}
	if err == nil && found == 0 {
		a.out.Note("no drill has left anything in %s", strings.Join(dirs, ", "))
	}
	return errors.Join(err, a.out.Err())
}

// drill drills a set, and prints and returns the report; nil if the drill could not be done. An
// empty set is the only one of the settings, or the one of which there are snapshots.
func (a *app) drill(ctx context.Context, o drillOptions, set string) (*catalog.DrillReport, error) {
	settings, err := a.Settings()
	if err != nil {
		return nil, err
	}
	if set == "" && !a.flags.setGiven && len(settings.Sets) == 1 {
		set = settings.SetNames()[0]
	}
	a.flags.set = set
	repo, _, err := a.OpenRepository(ctx, machine.MustRead|machine.MustWrite)
	if err != nil {
		return nil, err
	}
	v, err := a.look(ctx, repo)
	if err != nil {
		return nil, err
	}
	filter := a.filter()
	if filter.Host == "" {
		if filter.Prefer, err = a.HostIn(repo); err != nil {
			return nil, err
		}
	}
	snapshot, err := drill.Pick(v, filter, o.any)
	if err != nil {
		return nil, err
	}
	with, err := a.drillWith(repo, snapshot, o, settings.Sets[snapshot.Set].Drill)
	if err != nil {
		return nil, err
	}
	if a.flags.dryRun {
		for _, line := range message.DrillPlan(with) {
			a.out.Line("%s", line)
		}
		a.out.Note("nothing was done: this was a dry run")
		return nil, a.out.Err()
	}
	stop := a.out.Progress(meter.Of(with.Progress))
	report, err := drill.Run(ctx, with)
	stop()
	if report == nil || err != nil && !errors.Is(err, drill.ErrFailed) {
		return report, err
	}
	return report, a.tellDrill(report)
}

// drillWith says how a snapshot is drilled.
func (a *app) drillWith(repo *catalog.Repository, s *catalog.Snapshot, o drillOptions, settings config.Drill) (drill.Options, error) {
	dir, err := machine.DrillDirectory(o.directory, settings.Directory)
	if err != nil {
		return drill.Options{}, err
	}
	with, err := a.planner().Drill(repo, s, settings, dir)
	with.Any, with.Fetch, with.Jobs, with.Progress = o.any, a.fetchOptions(), restoreJobs, new(pipeline.Progress)
	with.Step = func(name string) { a.out.Detail(output.VerboseStatus{Action: "begins", Item: output.Name(name)}) }
	return with, err
}

// tellDrill prints a report, and says how the drill ends.
func (a *app) tellDrill(report *catalog.DrillReport) error {
	m := message.DrillOf(report)
	for _, text := range m.Remarks {
		a.out.Note("note: %s", text)
	}
	for _, text := range m.Failures {
		a.out.Problem("", "drill", errors.New(text.String()))
	}
	err := a.out.Summary(m, m.Text(a.out.Table))
	if !report.Passed {
		return exitWith(exitDrill, "the drill of %s failed (listed above); packstone drill report %s shows it whole", output.OrDash(m.Set.String()), m.ID[:shortID])
	}
	return err
}

package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/meter"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/platform/drill"
	"github.com/packstone/packstone/pipeline/target"
)

type drillOptions struct {
	any       bool
	clean     bool
	directory string
}

func newDrillRun(a *app) *cobra.Command {
	var o drillOptions
	cmd := &cobra.Command{
		Use:   "run [SET]",
		Short: "Restore a snapshot to scratch places, and compare it.",
		Long: `Restores the newest complete snapshot of a set, or with --any one chosen by chance: files below a
scratch directory, databases to a server that it starts from the programs of this machine, to one
that the settings name, or to SQLite. It compares every row and file, checks the assertions of the
settings (sets.NAME.drill), then damages a row, a file and a permission of its copy, and fails
unless it notices each. Prints how long each step took, signs the report into the repository, and
removes what it made. Needs an identity and this host's key. Ends with 6 if the drill fails.

What a drill that was killed has left is removed by the next one, or with --clean.`,
		Example: `  packstone drill run platform
  packstone drill run --any --scratch /srv/scratch`,
		Args: cobra.MaximumNArgs(1),
	}
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
	dirs, err := o.directories(settings)
	if err != nil {
		return err
	}
	found := 0
	for _, dir := range dirs {
		removed, bad := drill.Clean(ctx, dir, a.scratchDatabases())
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

// directories are all in which drills may have left something: the one that is named, else those of
// all sets.
func (o drillOptions) directories(settings *config.Config) (dirs []string, err error) {
	if o.directory != "" || len(settings.Sets) == 0 {
		dir, err := o.directoryFor(config.Drill{})
		return []string{dir}, err
	}
	for _, name := range settings.SetNames() {
		dir, err := o.directoryFor(settings.Sets[name].Drill)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// directoryFor is where scratch places are made.
func (o drillOptions) directoryFor(settings config.Drill) (string, error) {
	switch {
	case o.directory != "":
		return filepath.Abs(o.directory)
	case settings.Directory != "":
		return settings.Directory, nil
	}
	return machine.DrillDirectory()
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
	snapshot, err := a.pickDrilled(ctx, repo, o.any)
	if err != nil {
		return nil, err
	}
	with, err := a.drillWith(repo, snapshot, o, settings.Sets[snapshot.Set].Drill)
	if err != nil {
		return nil, err
	}
	if a.flags.dryRun {
		return nil, a.planDrill(with)
	}
	stop := a.out.Progress(meter.Of(with.Progress))
	report, err := drill.Run(ctx, with)
	stop()
	if report == nil || err != nil && !errors.Is(err, drill.ErrFailed) {
		return report, err
	}
	return report, a.tellDrill(report)
}

// pickDrilled chooses the snapshot to restore.
func (a *app) pickDrilled(ctx context.Context, repo *catalog.Repository, any bool) (*catalog.Snapshot, error) {
	v, err := a.look(ctx, repo)
	if err != nil {
		return nil, err
	}
	filter := a.filter()
	if a.flags.host == "" {
		if filter.Prefer, err = a.HostIn(repo); err != nil {
			return nil, err
		}
	}
	newest, err := v.Pick("latest", filter)
	if err != nil || !any {
		return newest, err
	}
	return drill.Choose(newest, v.Trusted(v.Snapshots), filter), nil
}

// drillWith says how a snapshot is drilled.
func (a *app) drillWith(repo *catalog.Repository, s *catalog.Snapshot, o drillOptions, settings config.Drill) (drill.Options, error) {
	host, err := a.Speak(repo, "")
	if err != nil {
		return drill.Options{}, err
	}
	dir, err := o.directoryFor(settings)
	if err != nil {
		return drill.Options{}, err
	}
	with := drill.Options{
		Repo: repo, Snapshot: s, Any: o.any, By: host, Fetch: a.fetchOptions(), Directory: dir, Places: map[string]drill.Place{},
		OpenDirectory: func(root string, s *catalog.SourceState, warn func(path string, err error)) (target.Target, error) {
			return config.OpenDirectory(root, config.TargetOptions{Warn: warn, Times: !config.IsBucket(s.Location)})
		},
		Databases: a.scratchDatabases(), Command: a.assertionRunner(settings), Free: doctor.FreeIn,
		Aside: a.Aside(), Jobs: restoreJobs, Parallel: a.flags.concurrency, Progress: new(pipeline.Progress),
		Step: func(name string) { a.out.Detail(output.VerboseStatus{Action: "begins", Item: output.Name(name)}) },
	}
	for source, place := range settings.Scratch {
		with.Places[source] = drill.Place{Engine: config.ScratchEngine(place)}
		if with.Places[source].Engine == "" {
			with.Places[source] = drill.Place{Server: place}
		}
	}
	for _, x := range settings.Assert {
		with.Assertions = append(with.Assertions, drill.Assertion{Source: x.Source, SQL: x.SQL, Want: x.Want, Command: x.Command})
	}
	return with, nil
}

// scratchDatabases open what databases are restored to.
func (a *app) scratchDatabases() drill.Databases {
	return drill.Databases{Target: config.OpenTarget, Asker: config.AskerOf, SQLite: config.SQLiteAt, Read: config.ReadLocation}
}

// assertionRunner runs the commands of assertions.
func (a *app) assertionRunner(settings config.Drill) func(ctx context.Context, command, variables []string) error {
	return func(ctx context.Context, command, variables []string) error {
		runner := hook.Runner{Env: append(a.env.ForPrograms(), variables...), Output: a.stderr}
		return runner.Command(ctx, "drill", settings.Limit(), command)
	}
}

// planDrill prints what a drill would do.
func (a *app) planDrill(with drill.Options) error {
	s := with.Snapshot
	a.out.Line("would restore snapshot %s of %s below %s, which takes up to %s", s.ShortID(), output.Time(s.Time), output.Name(with.Directory), output.Bytes(int64(drill.Need(s))))
	for i := range s.Sources {
		place := with.Places[s.Sources[i].Name]
		where := place.Engine
		switch {
		case place.Server != "":
			where = "a new database on the server of the URL in " + place.Server
		case where == "" && s.Sources[i].IsDatabase():
			where = "a server of its own engine if that is installed, else sqlite"
		case where == "":
			where = "a directory"
		}
		a.out.Line("%s: to %s", output.Name(s.Sources[i].Name), output.Name(where))
	}
	for _, x := range with.Assertions {
		what := strings.Join(x.Command, " ")
		if x.SQL != "" {
			what = x.Source + ": " + x.SQL
		}
		a.out.Line("would assert: %s", output.Name(what))
	}
	a.out.Note("nothing was done: this was a dry run")
	return a.out.Err()
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
	a.out.Summary(m, m.Text(a.out.Table))
	if !report.Passed {
		return exitWith(exitDrill, "the drill of %s failed (listed above); packstone drill report %s shows it whole", output.OrDash(m.Set.String()), m.ID[:shortID])
	}
	return a.out.Err()
}

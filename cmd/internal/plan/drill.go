package plan

import (
	"context"
	"slices"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/pipeline/platform/drill"
	"github.com/packstone/packstone/pipeline/target"
)

// Drill plans the drill of a snapshot as the settings of its set say it, below a directory. It fails
// with catalog.ErrRefused if this machine's key may not speak for its host.
func (p *Planner) Drill(repo *catalog.Repository, s *catalog.Snapshot, settings config.Drill, directory string) (drill.Options, error) {
	host, err := p.Machine.Speak(repo, "")
	if err != nil {
		return drill.Options{}, err
	}
	with := drill.Options{
		Repo: repo, Snapshot: s, By: host, Directory: directory, Places: places(settings.Scratch),
		OpenDirectory: openScratch, Databases: ScratchDatabases(), Command: p.assertionRunner(settings),
		Free: doctor.FreeIn, Aside: p.Machine.Aside(), Parallel: p.Parallel,
	}
	for _, x := range settings.Assert {
		with.Assertions = append(with.Assertions, drill.Assertion{Source: x.Source, SQL: x.SQL, Want: x.Want, Command: x.Command})
	}
	return with, nil
}

// ScratchDatabases open what databases are restored to in a drill.
func ScratchDatabases() drill.Databases {
	return drill.Databases{Target: config.OpenTarget, Asker: config.AskerOf, SQLite: config.SQLiteAt, Read: config.ReadLocation}
}

// places are where databases are restored to, by their sources.
func places(scratch map[string]string) map[string]drill.Place {
	places := map[string]drill.Place{}
	for source, place := range scratch {
		places[source] = drill.Place{Server: place}
		if engine := config.ScratchEngine(place); engine != "" {
			places[source] = drill.Place{Engine: engine}
		}
	}
	return places
}

func openScratch(root string, s *catalog.SourceState, warn func(path string, err error)) (target.Target, error) {
	return config.OpenDirectory(root, config.TargetOptions{Warn: warn, Times: !config.IsBucket(s.Location)})
}

// assertionRunner runs the commands of assertions.
func (p *Planner) assertionRunner(settings config.Drill) func(ctx context.Context, command, variables []string) error {
	return func(ctx context.Context, command, variables []string) error {
		runner := hook.Runner{Env: append(p.Machine.Env.ForPrograms(), variables...), Output: p.Stderr}
		return runner.Command(ctx, "drill", settings.Limit(), command)
	}
}

// DrillDirectories are all in which drills may have left something: the named one, unless that is
// "", else those of all sets.
func DrillDirectories(named string, settings *config.Config) (dirs []string, err error) {
	if named != "" || len(settings.Sets) == 0 {
		dir, err := machine.DrillDirectory(named, "")
		return []string{dir}, err
	}
	for _, name := range settings.SetNames() {
		dir, err := machine.DrillDirectory("", settings.Sets[name].Drill.Directory)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// Package plan determines what a backup contains: from paths, names in the settings file or a
// command to the jobs of one snapshot. It reads none of the content.
package plan

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/tripwire"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/hook"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/fit"
	"github.com/packstone/packstone/pipeline/source"
)

// Planner plans backups of this machine.
type Planner struct {
	Machine  *machine.Machine
	Set      string             // that the command line names; "": none
	Parallel int                // as config.OpenOptions has it
	Stderr   io.Writer          // takes what commands say beside their output
	Bucket   config.BucketLogin // for lakes
	Preview  bool               // nothing is stored, and so nothing is tested
	// Dangling is told of rows that refer to what the snapshot lacks.
	Dangling func(r *catalog.Rule, d *catalog.Dangling)
	// Warn is called with what the user should know of a source or a file.
	Warn func(item, text string)

	live bool // sources are compared with a snapshot, and may have become empty
}

// Plan is what becomes one snapshot.
type Plan struct {
	Set   string // "" for paths and commands, unless one is named
	Jobs  []backup.Job
	Hooks hook.Hooks // around the backup

	Tripwire tripwire.Limits // what marks it as one that looks like a loss; of paths and commands nothing does
	Fit      *fit.Check      // whether its sources fit together; nil: nobody has said how
	LeftOut  []catalog.LeftOut
	MaxAge   time.Duration // how old the newest of its set may be; 0: nothing is said
}

// Command plans the backup of a command's output.
func (p *Planner) Command(o config.CommandOptions) (Plan, error) {
	o.Env = p.Machine.Env.ForPrograms()
	return p.adHoc(backup.Job{
		Name: catalog.AdHoc, Type: "command", Location: strings.Join(o.Command, " "),
		Open: func(context.Context) (source.Source, error) { return config.OpenCommand(o) },
	})
}

// adHoc plans the only job of a backup that the command line describes. It opens the source, which
// reads nothing, to check the description.
func (p *Planner) adHoc(job backup.Job) (Plan, error) {
	probe, err := job.Open(context.Background())
	if err != nil {
		return Plan{}, catalog.Misuse("%w", err)
	}
	return Plan{Set: p.Set, Jobs: []backup.Job{job}}, probe.Close()
}

// Arguments plans the backup of paths, which o describes, or of names in the settings file; without
// arguments, of the only set, or the one that is named. check, unless nil, may refuse either.
func (p *Planner) Arguments(args []string, o config.PathOptions, check func(paths bool) error) (Plan, error) {
	settings, err := p.Machine.Settings()
	if err != nil {
		return Plan{}, err
	}
	paths, names, err := settings.Divide(args)
	if err != nil {
		return Plan{}, fmt.Errorf("%w%s", err, p.Machine.Unchosen())
	}
	if check != nil {
		if err := check(len(paths) > 0); err != nil {
			return Plan{}, err
		}
	}
	own, err := p.Machine.OwnFiles()
	if err != nil {
		return Plan{}, err
	}
	if len(paths) > 0 {
		return p.paths(own, paths, o)
	}
	return p.names(own, settings, names)
}

func (p *Planner) paths(own *machine.OwnFiles, paths []string, o config.PathOptions) (Plan, error) {
	paths, err := own.Roots(paths)
	if err != nil {
		return Plan{}, err
	}
	o.Roots, o.Absolute, o.Parallel = paths, true, p.Parallel
	return p.adHoc(backup.Job{
		Name: catalog.AdHoc, Type: "files", Location: strings.Join(paths, "\x00"), Paths: paths,
		Open: func(context.Context) (source.Source, error) {
			now := o
			now.LeaveOut, now.LeftOut = own.Paths(), own.LeftOut(p.Warn)
			return config.OpenPaths(now)
		},
	})
}

// names plans the backup of one set, or of single sources as a set of their own.
func (p *Planner) names(own *machine.OwnFiles, settings *config.Config, names []string) (Plan, error) {
	chosen, err := settings.Choose(names, p.Set)
	if err != nil {
		return Plan{}, err
	}
	planned := Plan{Set: chosen.Set, Hooks: chosen.Hooks, Tripwire: chosen.Tripwire, MaxAge: chosen.MaxAge, LeftOut: chosen.NotBackedUp}
	if len(chosen.Rules) > 0 && !p.Preview {
		if planned.Fit, err = fit.New(chosen.Rules, chosen.Sources, fit.Options{Dangling: p.Dangling}); err != nil {
			return Plan{}, err
		}
	}
	for _, name := range chosen.Sources {
		s := settings.Sources[name]
		planned.Jobs = append(planned.Jobs, backup.Job{
			Name: name, Type: s.Type, Location: s.Location(),
			Open: func(ctx context.Context) (source.Source, error) {
				m := p.Machine
				return settings.Open(ctx, name, config.OpenOptions{
					LeaveOut: own.Paths(), LeftOut: own.LeftOut(p.Warn), Parallel: p.Parallel, AllowEmpty: p.live,
					Stderr: p.Stderr, StateDir: m.DatabaseState(chosen.Set, name, s.Location()), Login: m.Login, Remote: m.RemoteLogin(),
					Bucket: p.Bucket, Note: func(text string) { p.Warn(name, text) }, Environment: m.Env.ForPrograms,
					Observer: planned.Fit.Observer(name),
				})
			},
		})
	}
	return planned, nil
}

// GoesTo returns the repositories that the settings name for what the arguments name, and the set
// that they name; none for paths, or where the settings name no repositories.
func (p *Planner) GoesTo(args []string) (to []string, set string, err error) {
	settings, err := p.Machine.Settings()
	if err != nil || len(settings.Repositories) == 0 {
		return nil, "", err
	}
	paths, names, err := settings.Divide(args)
	if err != nil || len(paths) > 0 {
		return nil, "", err
	}
	chosen, err := settings.Choose(names, p.Set)
	return chosen.To, chosen.Set, err
}

package platform

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
)

// Step is what a restore is going to do with a source.
type Step struct {
	Source   *Source
	Replaced uint64 // files that are there with other content
	// Strangers are owners that this machine does not know.
	Strangers target.Strangers
	Result    restore.Result
	Fresh     string // the database that is filled; "": the living one, which is empty
	Before    string // the name under which the living one is kept; "": there is none
	Done      bool   // a run before has done it
}

// Plan finds out what Run would do, and refuses what it could not. It changes nothing.
func (r *Restore) Plan(ctx context.Context) (steps []*Step, err error) {
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		step := &Step{Source: s, Done: p.State == Restored}
		steps = append(steps, step)
		switch {
		case step.Done:
			continue
		case s.Database != nil:
			err = r.planDatabase(ctx, step, p)
		default:
			err = r.planFiles(ctx, step)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return steps, nil
}

// planFiles counts what would be written.
func (r *Restore) planFiles(ctx context.Context, step *Step) error {
	legs := r.Legs(r.Snapshot)
	legs.Options.DryRun, legs.Options.Delete, legs.Options.Lends = true, r.Delete, nil
	legs.Options.Plan = func(e *entry.Entry, action restore.Action) {
		if action != restore.ActionDelete {
			step.Strangers.Note(e)
		}
		if action == restore.ActionUpdate {
			step.Replaced++
		}
	}
	err := legs.AddPlaces(ctx, step.Source.State, step.Source.places())
	if err == nil {
		err = legs.Run(ctx, &step.Result)
	}
	return errors.Join(err, legs.Close(ctx))
}

func (r *Restore) planDatabase(ctx context.Context, step *Step, p *Part) (err error) {
	d := step.Source.Database
	swap, err := d.swap(ctx)
	if err != nil {
		return err
	}
	if swap == nil {
		return r.planFilling(ctx, d, p)
	}
	defer func() { err = errors.Join(err, swap.Close()) }()
	if err := swap.Ready(ctx, ""); err != nil {
		return err
	}
	step.Fresh = database.BesideName(swap.Name(), "restored", r.Report.ID, longestName)
	there, err := swap.Holds(ctx, swap.Name())
	if there {
		step.Before = database.BesideName(swap.Name(), "before", r.Report.ID, longestName)
	}
	return err
}

// planFilling makes sure that a database whose engine exchanges none is empty.
func (r *Restore) planFilling(ctx context.Context, d *Database, p *Part) error {
	if p.State == Building {
		return nil
	}
	err := d.Vacant(ctx)
	if errors.Is(err, database.ErrNotEmpty) {
		return catalog.Refuse("%s is not empty, and databases of this engine cannot take each other's place: create an empty one, and name it with --map %s=URL", d.At, p.Name)
	}
	return err
}

// Overwrites tells whether files that are there would change.
func Overwrites(steps []*Step) bool {
	for _, s := range steps {
		if s.Replaced+s.Result.Deleted > 0 {
			return true
		}
	}
	return false
}

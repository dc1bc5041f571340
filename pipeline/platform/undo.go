package platform

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/restore"
)

// Undo puts back what was there before a restore, however far that came, or goes on with an Undo
// that was cut off. before is the snapshot of what was overwritten; nil if there is none. What is
// there now is saved first, too.
func (r *Restore) Undo(ctx context.Context, before *catalog.Snapshot) error {
	switch {
	case r.Report.State == Undone:
		return catalog.Refuse("the report says that all is undone")
	case r.Report.State == Begun: // nothing was changed
	case r.Report.State != Undoing:
		if err := r.beginUndo(ctx); err != nil {
			return err
		}
	}
	if r.Report.State == Undoing {
		if err := r.undoAll(ctx, before); err != nil {
			return err
		}
	}
	r.Report.State, r.Report.Ended = Undone, r.Now().UTC()
	return r.write()
}

// Lost names the sources of which files were overwritten without a copy.
func (r *Restore) Lost() (names []string) {
	if r.Report.Safety != "" || r.Report.State == Begun {
		return nil
	}
	for _, p := range r.Report.Sources {
		for _, spot := range p.Places {
			if spot.Before == Filled {
				names = append(names, p.Name)
				break
			}
		}
	}
	return names
}

// beginUndo saves what is there now.
func (r *Restore) beginUndo(ctx context.Context) error {
	var jobs []backup.Job
	for _, s := range r.Sources {
		for i, place := range s.Places {
			now, err := place.look(ctx)
			if err != nil {
				return fmt.Errorf("look at %s: %w", s.Where, err)
			}
			if now == Filled {
				jobs = append(jobs, backup.Job{Name: savedName(s.State.Name, place.Below, i), Type: s.State.Type, Location: s.Where, Open: place.Read})
			}
		}
	}
	if len(jobs) > 0 && !r.NoSafety {
		r.Tell("saving what is there now")
		var err error
		if r.Report.Present, err = r.snapshot(ctx, jobs, "before the restore "+r.Report.ID+" of "+r.Report.Set+" was undone"); err != nil {
			return err
		}
	}
	r.Report.State = Undoing
	return r.write()
}

func (r *Restore) undoAll(ctx context.Context, before *catalog.Snapshot) error {
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		if p.State == Undone {
			continue
		}
		undo, begun := r.undoFiles, r.Now()
		if s.Database != nil {
			undo = r.undoDatabase
		}
		if p.Undo == nil {
			p.Undo = &Work{}
		}
		err := undo(ctx, s, p, before)
		p.Undo.Seconds += r.Now().Sub(begun).Seconds()
		if err == nil {
			p.State = Undone
		}
		if err := errors.Join(err, r.write()); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

// undoFiles puts back what was at the places of a source.
func (r *Restore) undoFiles(ctx context.Context, s *Source, p *Part, before *catalog.Snapshot) error {
	r.Tell("%s: what was there comes back to %s", p.Name, s.Where)
	p.Undo.Kept, p.Undo.Failed = 0, 0
	for i, place := range s.Places {
		spot := p.Places[i]
		if spot.Before != Filled {
			removed, err := place.clear(ctx, spot.Before)
			if p.Undo.Deleted += removed; err != nil {
				return err
			}
			continue
		}
		if before == nil {
			continue // Lost has told
		}
		state, ok := before.Source(spot.Saved)
		if !ok {
			return catalog.Refuse("snapshot %s of what was overwritten has no %s", before.ShortID(), spot.Saved)
		}
		result, err := r.bring(ctx, before, state, []restore.Place{place.Place}, true)
		p.Undo.add(result)
		if err == nil && result.Failed > 0 {
			err = fmt.Errorf("%d entries did not come back, as listed above; run it again", result.Failed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// undoDatabase gives the database that was there its name back, and keeps the restored one under
// another.
func (r *Restore) undoDatabase(ctx context.Context, s *Source, p *Part, _ *catalog.Snapshot) (err error) {
	if p.Database == nil && (p.State == Waiting || isSwapper(s.Database)) {
		return nil // it was not begun
	}
	swap, err := s.Database.swap(ctx)
	if err != nil {
		return err
	}
	if swap == nil {
		return catalog.Refuse("%s was filled where an empty database was: empty it by hand", s.Where)
	}
	defer func() { err = errors.Join(err, swap.Close()) }()
	waits, err := swap.Holds(ctx, p.Database.Fresh)
	if err != nil {
		return err
	}
	if p.State == Building || p.State == Built && waits {
		return errors.Join(swap.Reopen(ctx), swap.Drop(ctx, p.Database.Fresh))
	}
	return r.exchangeBack(ctx, swap, p)
}

func isSwapper(d *Database) bool {
	_, ok := d.Driver.(database.Swapper)
	return ok
}

func (r *Restore) exchangeBack(ctx context.Context, swap database.Swap, p *Part) error {
	p.Database.Undone = database.BesideName(p.Database.Living, "undone", r.Report.ID, longestName)
	p.Database.Drop = swap.DropSQL(p.Database.Undone)
	done, err := swap.Holds(ctx, p.Database.Undone)
	if err != nil {
		return err
	}
	kept, before := p.nameBefore(r.Report.ID), ""
	there, err := swap.Holds(ctx, kept)
	if err != nil || done && !there { // else an exchange was cut off that is no single step
		return err
	}
	if there {
		before = kept
	}
	r.Tell("%s: %s has its name again", p.Name, p.Database.Living)
	if err := swap.Exchange(ctx, p.Database.Undone, before); err != nil {
		return err
	}
	if before != "" {
		return swap.Drop(ctx, before) // of MariaDB, what is left is an empty database
	}
	return nil
}

package platform

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
)

// longestName is what every engine takes as a name.
const longestName = 63

// swap connects to the server of a database; nil where its engine exchanges none.
func (d *Database) swap(ctx context.Context) (database.Swap, error) {
	driver, ok := d.Driver.(database.Swapper)
	if !ok {
		return nil, nil
	}
	return driver.OpenSwap(ctx, d.At)
}

// buildAll fills databases beside the living ones.
func (r *Restore) buildAll(ctx context.Context) error {
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		if s.Database == nil || p.State == Built || p.State == Restored {
			continue
		}
		begun := r.Now()
		if err := r.build(ctx, s, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		p.Seconds += r.Now().Sub(begun).Seconds()
		p.Restored, p.Bytes = s.State.Coverage.Rows, s.State.Coverage.Bytes
		if err := r.write(); err != nil {
			return err
		}
	}
	return nil
}

// build fills a database beside the living one, or, of an engine that exchanges none, the living
// one itself, which is empty.
func (r *Restore) build(ctx context.Context, s *Source, p *Part) (err error) {
	swap, err := s.Database.swap(ctx)
	if err != nil {
		return err
	}
	if swap == nil {
		r.Tell("%s: filling %s", p.Name, s.Where)
		p.State = Building
		if err := r.write(); err != nil {
			return err
		}
		err = s.Database.Fill(ctx, s.Database.At)
		if err == nil {
			p.State = Restored
		}
		return err
	}
	defer func() { err = errors.Join(err, swap.Close()) }()
	return r.buildBeside(ctx, swap, s.Database, p)
}

func (r *Restore) buildBeside(ctx context.Context, swap database.Swap, d *Database, p *Part) error {
	if err := swap.Ready(ctx, ""); err != nil {
		return err
	}
	p.State = Building
	p.Database = &Swapped{Living: swap.Name(), Fresh: database.BesideName(swap.Name(), "restored", r.Report.ID, longestName)}
	if err := r.write(); err != nil {
		return err
	}
	r.Tell("%s: filling %s, beside %s", p.Name, p.Database.Fresh, p.Database.Living)
	if err := swap.Drop(ctx, p.Database.Fresh); err != nil {
		return err
	}
	if err := swap.Make(ctx, p.Database.Fresh); err != nil {
		return err
	}
	at, err := swap.At(p.Database.Fresh)
	if err != nil {
		return err
	}
	if err := d.Fill(ctx, at); err != nil {
		return err
	}
	if err := swap.Ready(ctx, p.Database.Fresh); err != nil {
		return err
	}
	p.State = Built
	return nil
}

// exchangeAll lets databases that were built take the places of the living ones.
func (r *Restore) exchangeAll(ctx context.Context) error {
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		if s.Database == nil || p.State == Restored {
			continue
		}
		if err := r.exchange(ctx, s, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (r *Restore) exchange(ctx context.Context, s *Source, p *Part) (err error) {
	swap, err := s.Database.swap(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, swap.Close()) }()
	before := p.nameBefore(r.Report.ID)
	waits, err := swap.Holds(ctx, p.Database.Fresh)
	if err != nil {
		return err
	}
	if waits { // else a run that was cut off has done it
		r.Tell("%s: %s takes the place of %s", p.Name, p.Database.Fresh, p.Database.Living)
		if err := swap.Exchange(ctx, before, p.Database.Fresh); err != nil {
			return err
		}
	}
	kept, err := swap.Holds(ctx, before)
	if err != nil {
		return err
	}
	if p.Database.Before = ""; kept {
		p.Database.Before, p.Database.Drop = before, swap.DropSQL(before)
	}
	if err := swap.Drop(ctx, p.Database.Fresh); err != nil {
		return err
	}
	p.State = Restored
	return r.write()
}

// nameBefore is the name under which the one before is kept.
func (p *Part) nameBefore(id string) string {
	return database.BesideName(p.Database.Living, "before", id, longestName)
}

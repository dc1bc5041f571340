package destination

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/platform"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/target"
)

// Return is a source on its way back to where it is.
type Return struct {
	Source   *catalog.SourceState
	Places   []restore.Place
	Database *database.Location // instead of places
}

// Places finds where each source belongs now, and returns an error for each that has no place: the
// others come back all the same. If none has one, that is an error.
func (d *Destination) Places(ctx context.Context, settings *config.Config, sources []*catalog.SourceState) (way []Return, homeless []error, err error) {
	for _, s := range sources {
		back, err := d.PlaceOf(ctx, settings, s)
		switch {
		case err != nil && s.Type == "command" && len(sources) > 1:
			homeless = append(homeless, err)
		case err != nil:
			return nil, nil, err
		default:
			way = append(way, back)
		}
	}
	if len(way) == 0 {
		return nil, nil, errors.Join(homeless...)
	}
	return way, homeless, nil
}

// PlaceOf finds where a source belongs now.
func (d *Destination) PlaceOf(ctx context.Context, settings *config.Config, s *catalog.SourceState) (Return, error) {
	back := Return{Source: s}
	if s.Type == "command" {
		return back, catalog.Misuse("%s is the output of a command, so it has no place; pipe it to a command with restore %s:%s --to-command -- COMMAND",
			message.Place(s.Name, ""), d.Snapshot, strings.Trim(s.Name, "/"))
	}
	parts, at, err := settings.PlaceOf(s, d.IsDatabase(s))
	if err == nil && at != nil {
		*at, err = d.Machine.Login(*at)
		back.Database = at
	}
	if err != nil || at != nil {
		return back, err
	}
	for _, part := range parts {
		back.Places = append(back.Places, restore.Place{Below: part.Below, Path: part.Path, OpenAt: d.openerOf(part, s), Taken: d.takenFrom(part)})
	}
	back.Places, err = d.Legs.CheckPlaces(ctx, s, back.Places)
	return back, err
}

// openerOf opens the place of a part of a source.
func (d *Destination) openerOf(part config.Part, s *catalog.SourceState) func(ctx context.Context, file bool) (target.Target, error) {
	return func(ctx context.Context, file bool) (target.Target, error) {
		opts, err := d.targetOptions(part.Below, s)
		if err != nil {
			return nil, err
		}
		return part.Open(ctx, file, opts)
	}
}

// takenFrom tells what a backup would take of the place of a part: restore.Options.Delete leaves
// what it leaves out there, which no snapshot has.
func (d *Destination) takenFrom(part config.Part) func(ctx context.Context, put func(path string) error) error {
	return func(ctx context.Context, put func(path string) error) error {
		o, err := d.openOptions()
		if err != nil {
			return err
		}
		return part.Taken(ctx, o, put)
	}
}

// openOptions are how a backup reads what is at a place now.
func (d *Destination) openOptions() (o config.OpenOptions, err error) {
	own, err := d.Machine.OwnFiles()
	if err != nil {
		return o, err
	}
	return config.OpenOptions{LeaveOut: own.Paths(), Parallel: d.Parallel, Remote: d.Machine.RemoteLogin(), Bucket: d.Bucket}, nil
}

// AddPlaces adds what is no database to Legs.
func (d *Destination) AddPlaces(ctx context.Context, way []Return) error {
	for _, back := range way {
		if back.Database != nil {
			continue
		}
		if err := d.Legs.AddPlaces(ctx, back.Source, back.Places); err != nil {
			return err
		}
	}
	return nil
}

// Fill fills a database with that of a source.
type Fill func(ctx context.Context, s *catalog.SourceState, dst database.Target) error

// Refill brings databases back into the ones in the settings, which refuse unless they are empty.
func (d *Destination) Refill(ctx context.Context, way []Return, fill Fill) error {
	for _, back := range way {
		if back.Database == nil {
			continue
		}
		err := d.fill(ctx, back.Source, *back.Database, d.Filling, fill)
		if errors.Is(err, database.ErrNotEmpty) {
			return fmt.Errorf("%s: %w: a database comes back into an empty one: drop it and create it anew, or move the file away; or restore into another one with --to", back.Source.Name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Destination) fill(ctx context.Context, s *catalog.SourceState, at database.Location, o database.TargetOptions, fill Fill) (err error) {
	dst, err := config.OpenTarget(ctx, at, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	return fill(ctx, s, dst)
}

// Platform says how a source of a whole platform comes back. It refuses one that maps name another
// place for, and that place lies in a repository.
func (d *Destination) Platform(settings *config.Config, back Return, maps platform.Maps, fill Fill) (*platform.Source, error) {
	if maps[back.Source.Name] != "" && !d.Force {
		if err := refuseRepositories(back.Places); err != nil {
			return nil, err
		}
	}
	one := &platform.Source{State: back.Source, Where: settings.Sources[back.Source.Name].Location()}
	var err error
	if back.Database != nil {
		one.Database, err = d.platformDatabase(back, fill)
	} else {
		one.Places, err = d.platformPlaces(settings, back)
	}
	return one, err
}

func refuseRepositories(places []restore.Place) error {
	for _, place := range places {
		if place.Path == "" {
			continue
		}
		if err := restore.RefuseRepository(place.Path); err != nil {
			return err
		}
	}
	return nil
}

// platformDatabase says how a database is filled.
func (d *Destination) platformDatabase(back Return, fill Fill) (*platform.Database, error) {
	driver, err := config.Engines.For(*back.Database)
	if err != nil {
		return nil, catalog.Misuse("%w", err)
	}
	return &platform.Database{
		At: *back.Database, Driver: driver,
		Fill: func(ctx context.Context, at database.Location) error {
			o := d.Filling
			o.EmptyLeftover = true // nobody else fills a database of this name
			return d.fill(ctx, back.Source, at, o, fill)
		},
		Vacant: func(ctx context.Context) error {
			return d.fill(ctx, back.Source, *back.Database, d.Filling, func(ctx context.Context, _ *catalog.SourceState, dst database.Target) error {
				if v, ok := dst.(database.Vacancy); ok {
					return v.Vacant(ctx)
				}
				return nil
			})
		},
	}, nil
}

// platformPlaces are the places of files, and what a backup reads of them.
func (d *Destination) platformPlaces(settings *config.Config, back Return) (all []platform.Place, err error) {
	parts, _, err := settings.PlaceOf(back.Source, false)
	if err != nil {
		return nil, err
	}
	o, err := d.openOptions()
	if err != nil {
		return nil, err
	}
	for _, place := range back.Places {
		one := platform.Place{Place: place}
		for _, part := range parts {
			if part.Below == place.Below {
				one.Read = func(ctx context.Context) (source.Source, error) { return part.Source(ctx, o) }
			}
		}
		all = append(all, one)
	}
	return all, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
)

// findServer tells whether --to names a server of files, and which.
func (o *restoreOptions) findServer() (err error) {
	if o.to.url == "" || o.to.file == "" {
		o.server, err = config.FindServer("--"+o.to.name, o.to.url, o.to.file)
	}
	return err
}

// comeback is a source on its way back to where it is.
type comeback struct {
	source   *catalog.SourceState
	places   []restore.Place
	database *database.Location // instead of places
}

// findPlaces finds where each source belongs, and says so.
func (r *restoring) findPlaces(ctx context.Context) error {
	settings, err := r.Settings()
	if err != nil {
		return err
	}
	var homeless []error
	for _, source := range r.sources {
		back, err := r.findPlace(ctx, settings, source)
		switch {
		case err != nil && source.Type == "command" && len(r.sources) > 1:
			homeless = append(homeless, err) // the others come back all the same
			continue
		case err != nil:
			return err
		}
		r.way = append(r.way, back)
	}
	if len(r.way) == 0 {
		return errors.Join(homeless...)
	}
	for _, back := range r.way {
		r.tellPlace(settings, back.source)
	}
	for _, err := range homeless {
		r.out.Problem("", "restore", err)
		r.total.Failed++
	}
	return nil
}

// refillAll brings databases back, which refuse unless they are empty.
func (r *restoring) refillAll(ctx context.Context) error {
	for _, back := range r.way {
		if back.database == nil {
			continue
		}
		if err := r.refill(ctx, back); err != nil {
			return err
		}
	}
	return nil
}

// findPlace finds where a source belongs now.
func (r *restoring) findPlace(ctx context.Context, settings *config.Config, source *catalog.SourceState) (comeback, error) {
	back := comeback{source: source}
	if source.Type == "command" {
		return back, usage("%s is the output of a command, so it has no place; pipe it to a command with restore %s:%s --to-command -- COMMAND",
			message.Place(source.Name, ""), r.from.Snapshot, strings.Trim(source.Name, "/"))
	}
	parts, at, err := settings.PlaceOf(source, r.isDatabase(source))
	if err == nil && at != nil {
		*at, err = r.Login(*at)
		back.database = at
	}
	if err != nil || at != nil {
		return back, err
	}
	for _, part := range parts {
		back.places = append(back.places, restore.Place{Below: part.Below, Path: part.Path, OpenAt: r.openerOf(part, source), Taken: r.takenFrom(part)})
	}
	back.places, err = r.legs.CheckPlaces(ctx, source, back.places)
	return back, err
}

// openerOf opens the place of a part of a source.
func (r *restoring) openerOf(part config.Part, source *catalog.SourceState) func(ctx context.Context, file bool) (target.Target, error) {
	return func(ctx context.Context, file bool) (target.Target, error) {
		opts, err := r.targetOptions(part.Below, source)
		if err != nil {
			return nil, err
		}
		return part.Open(ctx, file, opts)
	}
}

// tellPlace says where a source comes back to, and whether that is another place than it was at.
func (r *restoring) tellPlace(settings *config.Config, source *catalog.SourceState) {
	if source.Name == catalog.AdHoc {
		r.out.Note("back to %s", strings.Join(source.Paths, ", "))
		return
	}
	now := settings.Sources[source.Name].Location()
	if now != source.Location {
		r.out.Warn(output.Warning{Item: output.Name(source.Name), Message: fmt.Sprintf("was at %s; it comes back to %s, where the settings have it now", source.Location, now)})
		return
	}
	r.out.Note("%s: back to %s", source.Name, now)
}

// refill brings a database back into the one in the settings.
func (r *restoring) refill(ctx context.Context, back comeback) (err error) {
	if len(r.o.include)+len(r.o.exclude) > 0 || r.o.owner != "" || r.o.chmod != "" {
		return usage("%s is a database: --include, --exclude, --owner and --chmod cannot be used with it; name the other sources one by one", back.source.Name)
	}
	dst, err := config.OpenTarget(ctx, *back.database, r.o.filling.target(r.app))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	err = r.fillWith(ctx, back.source, dst)
	if errors.Is(err, database.ErrNotEmpty) {
		return fmt.Errorf("%s: %w: a database comes back into an empty one: drop it and create it anew, or move the file away; or restore into another one with --to", back.source.Name, err)
	}
	return err
}

// fillWith fills a database with that of a source, and counts one that is not exact.
func (r *restoring) fillWith(ctx context.Context, s *catalog.SourceState, dst database.Target) error {
	src, err := r.openStreams(ctx, s, database.Filter{})
	if err != nil {
		return err
	}
	err = r.convertDB(ctx, "restore", src, dst, r.o.filling)
	if exitCode(ctx, err) == exitMissing {
		r.inexact++
		return nil
	}
	return err
}

// openPlaces opens the places of what is no database.
func (r *restoring) openPlaces(ctx context.Context) error {
	for _, back := range r.way {
		if back.database != nil {
			continue
		}
		if err := r.legs.AddPlaces(ctx, back.source, back.places); err != nil {
			return err
		}
	}
	return nil
}

// takenFrom tells what a backup would take of the place of a part: --delete leaves what it leaves
// out there, which no snapshot has.
func (r *restoring) takenFrom(part config.Part) func(ctx context.Context, put func(path string) error) error {
	return func(ctx context.Context, put func(path string) error) error {
		o, err := r.openOptions()
		if err != nil {
			return err
		}
		return part.Taken(ctx, o, put)
	}
}

// openOptions are how a backup reads what is at a place now.
func (r *restoring) openOptions() (o config.OpenOptions, err error) {
	own, err := r.OwnFiles()
	if err != nil {
		return o, err
	}
	return config.OpenOptions{LeaveOut: own.Paths(), Parallel: r.flags.concurrency, Remote: r.RemoteLogin(), Bucket: r.bucketLogin()}, nil
}

// Package platform restores the sources of a set together, in place, to one moment. What is
// overwritten is saved first; databases are filled beside the living ones and take their places in
// one short step; a report says what was done, so that a run that was cut off goes on, and all can
// be undone. It is made of the flows of backup and restore.
package platform

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/source"
)

// Source is a source on its way back: a database, or files.
type Source struct {
	State    *catalog.SourceState
	Where    string // without secrets
	Places   []Place
	Database *Database // nil: it is files
}

// Place is a place of files, and what reads it as a backup would.
type Place struct {
	restore.Place
	Read func(ctx context.Context) (source.Source, error)
}

// Database is where a database comes back to, and how.
type Database struct {
	At     database.Location
	Driver database.Driver
	// Fill fills the empty database at an address, verifies it, and first drops what a Fill that
	// was killed has left.
	Fill func(ctx context.Context, at database.Location) error
	// Vacant gives database.ErrNotEmpty where Fill would refuse.
	Vacant func(ctx context.Context) error
}

// Options are what a restore needs beside what comes back.
type Options struct {
	// NoSafety overwrites files without a copy of what was there.
	NoSafety bool
	// Safety is a backup without jobs: whose it is, and how it is made.
	Safety backup.Options
	// Legs are ways back from a snapshot.
	Legs func(of *catalog.Snapshot) *restore.Legs
	// Delete removes what the snapshot does not have, as restore.Options has it.
	Delete bool
	// Tell is told what is done now.
	Tell func(format string, args ...any)
	// Now is the time.
	Now func() time.Time
}

// Restore is a platform on its way back to a moment.
type Restore struct {
	Options
	Repo     *catalog.Repository
	Snapshot *catalog.Snapshot // that comes back
	Sources  []*Source
	Report   *Report
	File     *File
}

// SafetySet is the set of the snapshots of what was overwritten.
const SafetySet = catalog.BeforeRestore

// Begin makes the report of a new restore, of which nothing was done.
func Begin(repo *catalog.Repository, s *catalog.Snapshot, machine, at string, sources []*Source, now time.Time) *Report {
	id := make([]byte, idBytes)
	rand.Read(id)
	r := &Report{
		Format: 1, ID: hex.EncodeToString(id), Repository: repo.Format.Repository, Machine: machine, Set: s.Set, At: at, Snapshot: s.ID.String(),
		Skew: Skew(sources).Seconds(), State: Begun, Begun: now.UTC(),
	}
	for _, source := range sources {
		p := &Part{Name: source.State.Name, Type: source.State.Type, Where: source.Where, Moment: source.State.Moment.UTC(), State: Waiting}
		for _, place := range source.Places {
			p.Places = append(p.Places, &Spot{Below: place.Below})
		}
		r.Sources = append(r.Sources, p)
	}
	return r
}

// Skew is the time between the first moment of a source and the last.
func Skew(sources []*Source) time.Duration {
	var first, last time.Time
	for _, s := range sources {
		if first.IsZero() || s.State.Moment.Before(first) {
			first = s.State.Moment
		}
		if s.State.Moment.After(last) {
			last = s.State.Moment
		}
	}
	return last.Sub(first)
}

// Check refuses a report that is not of what is to come back now: of another repository or machine,
// or of sources that have moved since.
func (r *Restore) Check(machine string) error {
	switch {
	case r.Report.Repository != r.Repo.Format.Repository:
		return catalog.Refuse("the report is of another repository, %s", r.Report.Repository)
	case r.Report.Machine != machine:
		return catalog.Refuse("the report is of the machine %s, and this is %s", r.Report.Machine, machine)
	case r.Report.Snapshot != r.Snapshot.ID.String():
		return catalog.Refuse("the report is of another snapshot, %.12s", r.Report.Snapshot)
	case len(r.Report.Sources) != len(r.Sources):
		return catalog.Refuse("the report is of %d sources, and there are %d now", len(r.Report.Sources), len(r.Sources))
	}
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		if p == nil || p.Where != s.Where || len(p.Places) != len(s.Places) {
			return catalog.Refuse("the restore began when %s was elsewhere: let the settings, and --map, be as they were then", s.State.Name)
		}
		for i, place := range s.Places {
			if p.Places[i].Below != place.Below {
				return catalog.Refuse("the restore began when %s had other parts: let the settings be as they were then", s.State.Name)
			}
		}
	}
	return nil
}

// write keeps the report.
func (r *Restore) write() error { return r.File.Write(r.Report) }

// Run brings everything back, or goes on with what a run that was cut off left to do. When it
// fails, the report says how far it came.
func (r *Restore) Run(ctx context.Context) error {
	if r.Report.State == Undoing || r.Report.State == Undone {
		return catalog.Refuse("the report is of a restore that is %s; begin a new one, or go on with --undo", r.Report.State)
	}
	if err := r.write(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.save, r.buildAll, r.restoreFiles, r.exchangeAll} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	r.Report.State, r.Report.Ended = Done, r.Now().UTC()
	return r.write()
}

// restoreFiles brings files back. They come before the databases that refer to them.
func (r *Restore) restoreFiles(ctx context.Context) error {
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		if s.Database != nil || p.State == Restored {
			continue
		}
		r.Tell("%s: files come back to %s", s.State.Name, s.Where)
		begun := r.Now()
		result, err := r.bring(ctx, r.Snapshot, s.State, s.places(), r.Delete)
		p.count(result)
		p.Seconds += r.Now().Sub(begun).Seconds()
		if err == nil {
			p.State = Restored
		}
		if err := errors.Join(err, r.write()); err != nil {
			return fmt.Errorf("%s: %w", s.State.Name, err)
		}
	}
	return nil
}

// count counts what came to all places; what was there already is the same each time.
func (w *Work) count(result restore.Result) {
	w.Restored += result.Restored
	w.Kept, w.Failed = result.Kept, result.Failed
	w.Deleted += result.Deleted
	w.Bytes += result.Bytes
}

// add counts what came to one more place.
func (w *Work) add(result restore.Result) {
	kept, failed := w.Kept, w.Failed
	w.count(result)
	w.Kept, w.Failed = kept+result.Kept, failed+result.Failed
}

func (s *Source) places() (all []restore.Place) {
	for _, place := range s.Places {
		all = append(all, place.Place)
	}
	return all
}

// bring restores what a snapshot has of a source to its places.
func (r *Restore) bring(ctx context.Context, of *catalog.Snapshot, state *catalog.SourceState, places []restore.Place, remove bool) (result restore.Result, err error) {
	legs := r.Legs(of)
	legs.Options.Delete = remove
	if err := legs.AddPlaces(ctx, state, places); err != nil {
		return result, errors.Join(err, legs.Close(ctx))
	}
	err = legs.Run(ctx, &result)
	return result, errors.Join(err, legs.Close(ctx))
}

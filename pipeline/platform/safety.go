package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/target"
)

// save takes a snapshot of what is going to be overwritten, unless that was done. Databases are
// kept under other names instead.
func (r *Restore) save(ctx context.Context) error {
	if r.Report.State != Begun {
		return nil
	}
	jobs, err := r.lookAtPlaces(ctx)
	if err != nil {
		return err
	}
	r.Report.NoSafety = r.NoSafety && len(jobs) > 0
	if len(jobs) > 0 && !r.NoSafety {
		r.Tell("saving what is overwritten")
		if r.Report.Safety, err = r.snapshot(ctx, jobs, "before the restore "+r.Report.ID+" of "+r.Report.Set+" to "+r.Report.At); err != nil {
			return err
		}
	}
	r.Report.State = Saved
	return r.write()
}

// lookAtPlaces notes what is at each place, and gives the backups of those where there is
// something.
func (r *Restore) lookAtPlaces(ctx context.Context) (jobs []backup.Job, err error) {
	for _, s := range r.Sources {
		p := r.Report.part(s.State.Name)
		for i, place := range s.Places {
			spot := p.Places[i]
			if spot.Before, err = place.look(ctx); err != nil {
				return nil, fmt.Errorf("look at %s: %w", s.Where, err)
			}
			if spot.Saved = ""; spot.Before != Filled {
				continue
			}
			spot.Saved = savedName(p.Name, place.Below, i)
			jobs = append(jobs, backup.Job{Name: spot.Saved, Type: p.Type, Location: p.Where, Open: place.Read})
		}
	}
	return jobs, nil
}

// savedName is the name, in the snapshot of what was overwritten, of a part of a source.
func savedName(source, below string, i int) string {
	if below == "" {
		return source
	}
	if name := source + "." + below; catalog.ValidName(name) {
		return name
	}
	return fmt.Sprintf("%.50s.%d", source, i)
}

// snapshot saves what is at places. One that lacks something is none.
func (r *Restore) snapshot(ctx context.Context, jobs []backup.Job, description string) (string, error) {
	o := r.Safety
	o.Set, o.Jobs, o.Tags, o.Description, o.Like = SafetySet, jobs, []string{SafetySet}, description, r.Report.Set
	s, err := backup.Run(ctx, r.Repo, o)
	if err != nil {
		return "", fmt.Errorf("save what is overwritten: %w", err)
	}
	if !s.Complete() {
		return "", catalog.Refuse("not all of what would be overwritten could be saved, as listed above; nothing was changed; "+
			"make it readable, or agree with --no-safety that it is lost. Snapshot %s has the rest", s.ShortID())
	}
	files, read := uint64(0), uint64(0)
	for i := range s.Sources {
		c := &s.Sources[i].Coverage
		files, read = files+c.Files, read+c.New+c.Changed
	}
	r.Tell("saved as snapshot %s: %s, %d of them read", s.ShortID(), entry.Plural(files, "file"), read)
	return s.ID.String(), nil
}

// errFound ends a walk.
var errFound = errors.New("found something")

// look tells what is at a place.
func (p *Place) look(ctx context.Context) (Before, error) {
	if p.Path != "" {
		info, err := os.Stat(p.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return Absent, nil
		case err != nil:
			return "", err
		case !info.IsDir():
			return Filled, nil
		}
	}
	to, err := p.OpenAt(ctx, false)
	if err != nil {
		return "", err
	}
	err = to.Walk(ctx, nil, target.Entries(func(*entry.Entry) error { return errFound }))
	before := Empty
	if errors.Is(err, errFound) {
		before, err = Filled, nil
	}
	return before, errors.Join(err, to.Close(ctx))
}

// clear removes what has come to a place where nothing was, and counts it.
func (p *Place) clear(ctx context.Context, before Before) (removed uint64, err error) {
	if p.Path != "" {
		info, err := os.Lstat(p.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err == nil && !info.IsDir() {
			return 1, os.Remove(p.Path)
		}
		if err != nil {
			return 0, err
		}
	}
	if removed, err = p.empty(ctx); err != nil || p.Path == "" || before != Absent {
		return removed, err
	}
	return removed + 1, os.Remove(p.Path)
}

// empty removes what is in a directory, and counts it.
func (p *Place) empty(ctx context.Context) (removed uint64, err error) {
	to, err := p.OpenAt(ctx, false)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close(ctx)) }()
	var all []*entry.Entry
	err = to.Walk(ctx, nil, target.Entries(func(e *entry.Entry) error {
		all = append(all, &entry.Entry{Path: e.Path, Type: e.Type, Device: e.Device, Inode: e.Inode})
		return nil
	}))
	if err != nil {
		return 0, err
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 { // what is in a directory first
		all[i], all[j] = all[j], all[i]
	}
	var failed []string
	err = to.Remove(ctx, all, func(e *entry.Entry, err error) {
		failed = append(failed, fmt.Sprintf("%s: %v", entry.Printable(e.Path), err))
	})
	if len(failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%s not removed: %s", entry.Plural(uint64(len(failed)), "entry"), strings.Join(failed[:min(len(failed), 3)], "; ")))
	}
	return uint64(len(all) - len(failed)), err
}

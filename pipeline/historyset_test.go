package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/platform"
	"github.com/packstone/packstone/pipeline/remote/s3/s3test"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
	"github.com/packstone/packstone/pipeline/target/lake"
)

// landing is an empty machine to which the sources of a set come back together.
type landing struct {
	dir   string
	files *fakeTarget
	lake  *s3test.Server
}

func (l *landing) database() string { return filepath.Join(l.dir, "living.sqlite") }

// setComesBack restores a whole set to the moment of a snapshot, and returns what fails. Wrong rows,
// objects and files break a promise whatever else fails.
func (h *chronicle) setComesBack(repo *catalog.Repository, snapshot *catalog.Snapshot, k *kept) (*fakeTarget, error) {
	l := &landing{dir: h.t.TempDir(), files: newTarget(), lake: newLake()}
	failed := l.restore(h.t.Context(), repo, snapshot)
	for key, object := range objectsIn(l.lake) {
		if k.stock.objects[key] != object {
			h.breaks("%s: the object %s was restored as %s, and was %s", snapshot.Description, key, object, k.stock.objects[key])
		}
	}
	lines, err := dump(l.database())
	if _, absent := os.Stat(l.database()); absent == nil && !slices.Equal(lines, k.stock.database) {
		h.breaks("%s: the database was restored as %q (%w), and was %q", snapshot.Description, lines, err, k.stock.database)
	}
	if failed != nil {
		return l.files, failed
	}
	if err != nil {
		return l.files, fmt.Errorf("%s: the database did not come back: %w", snapshot.Description, err)
	}
	if !maps.Equal(objectsIn(l.lake), k.stock.objects) {
		return l.files, fmt.Errorf("%s: of %d objects %d came back", snapshot.Description, len(k.stock.objects), len(l.lake.Keys()))
	}
	return l.files, nil
}

// restore brings a snapshot back as a restore of a platform does.
func (l *landing) restore(ctx context.Context, repo *catalog.Repository, snapshot *catalog.Snapshot) error {
	var problems []error
	o := restore.Options{Verify: true, Problem: func(path string, err error) { problems = append(problems, fmt.Errorf("%s: %w", path, err)) }}
	r := &platform.Restore{Repo: repo, Snapshot: snapshot, File: new(platform.File), Options: platform.Options{
		NoSafety: true, Now: time.Now, Tell: func(string, ...any) {},
		Legs: func(of *catalog.Snapshot) *restore.Legs {
			return &restore.Legs{Repo: repo, Snapshot: of, Options: o, Doubt: func(string) {}}
		},
	}}
	for i := range snapshot.Sources {
		one, err := l.source(r, &snapshot.Sources[i])
		if err != nil {
			return err
		}
		r.Sources = append(r.Sources, one)
	}
	r.Report = platform.Begin(repo, snapshot, "machine", snapshot.Time.Format(time.RFC3339), r.Sources, time.Now())
	r.File.Name(l.dir, r.Report)
	_, err := r.Plan(ctx)
	if err == nil {
		err = r.Run(ctx)
	}
	return errors.Join(append(problems, err)...)
}

// source says where a source comes back to.
func (l *landing) source(r *platform.Restore, state *catalog.SourceState) (*platform.Source, error) {
	one := &platform.Source{State: state, Where: state.Location}
	place := restore.Place{OpenAt: func(context.Context, bool) (target.Target, error) { return l.files, nil }}
	switch state.Type {
	case "database":
		at, err := database.ParseLocation("sqlite:" + l.database())
		one.Database = &platform.Database{At: at, Driver: sqlite.Driver{}, Fill: func(ctx context.Context, at database.Location) error {
			return fill(ctx, r.Legs(r.Snapshot), state, at)
		}}
		return one, err
	case "lake":
		place.OpenAt = func(ctx context.Context, _ bool) (target.Target, error) {
			b, err := clientOf(ctx, l.lake)
			if err != nil {
				return nil, err
			}
			return lake.New(b, lake.Options{Parallel: 2}), nil
		}
	}
	one.Places = []platform.Place{{Place: place}}
	return one, nil
}

// fill fills an empty database with the rows of a source, and reads it back.
func fill(ctx context.Context, legs *restore.Legs, state *catalog.SourceState, at database.Location) (err error) {
	t, fetcher, err := legs.Open(state)
	if err != nil {
		return err
	}
	src, err := rows.Open(fetcher.Files(ctx, t), database.SourceOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := sqlite.Driver{}.OpenTarget(ctx, at, database.TargetOptions{EmptyLeftover: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	report, err := convert.Run(ctx, src, dst, convert.Options{})
	if err != nil {
		return err
	}
	for _, f := range report.Inexact() {
		err = errors.Join(err, errors.New(f.String()))
	}
	return err
}

package drill

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/database/scratch"
	"github.com/packstone/packstone/pipeline/restore"
	"github.com/packstone/packstone/pipeline/target"
)

// scratchPlace is where a source was restored to.
type scratchPlace struct {
	source *catalog.SourceState
	name   string
	found  *catalog.DrillSource
	legs   *restore.Legs // opens the source's tree

	restored bool // and may be compared

	dir string // of files

	at     database.Location // of a database
	asker  database.Asker
	server *scratch.Server // nil: none was started

	differing map[string]bool // paths and tables that differ before anything was damaged
}

func (p *scratchPlace) isDatabase() bool { return p.source.IsDatabase() }

// variable is the name under which commands find the place.
func (p *scratchPlace) variable() string {
	return "PACKSTONE_DRILL_" + strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(p.name))
}

// value is what they find there.
func (p *scratchPlace) value() string {
	if !p.isDatabase() {
		return p.dir
	}
	return p.at.Reveal() // a path, or a URL with the password that is needed
}

// restore restores a source to a scratch place. Where that fails the others are restored all the
// same.
func (d *drill) restore(ctx context.Context, s *catalog.SourceState) error {
	p := &scratchPlace{source: s, name: nameOf(s), differing: map[string]bool{}}
	p.legs = &restore.Legs{Repo: d.Repo, Snapshot: d.Snapshot, Fetch: d.Fetch, Options: restore.Options{
		Parallel: d.Parallel, Progress: d.Progress, Problem: func(path string, err error) { d.fail("restore %s: %s: %v", p.name, path, err) },
	}}
	d.report.Sources = append(d.report.Sources, catalog.DrillSource{Name: s.Name, Type: s.Type, Moment: s.Moment, Place: "directory"})
	p.found = &d.report.Sources[len(d.report.Sources)-1]
	d.places = append(d.places, p)
	fill := d.fillDirectory
	if p.isDatabase() {
		settled := false
		err := d.step(ctx, "make a place for "+p.name, true, func(ctx context.Context) error {
			err := d.settle(ctx, p)
			settled = err == nil
			return err
		})
		if err != nil || !settled {
			return err
		}
		fill = d.fillDatabase
	}
	return d.step(ctx, "restore "+p.name, true, func(ctx context.Context) error {
		err := fill(ctx, p)
		p.restored = err == nil
		return err
	})
}

// fillDirectory restores files.
func (d *drill) fillDirectory(ctx context.Context, p *scratchPlace) error {
	p.dir = filepath.Join(d.room.sources(), p.name)
	var warned atomic.Int64
	open := func() (target.Target, error) {
		return p.legs.Opened(d.OpenDirectory(p.dir, p.source, func(path string, err error) {
			if warned.Add(1) <= mostTexts/10 {
				d.remark(fmt.Sprintf("%s: %s came back without all of its metadata: %v", p.name, path, err))
			}
		}))
	}
	if err := p.legs.Add(ctx, p.source, false, open); err != nil {
		return errors.Join(err, p.legs.Close(ctx))
	}
	var result restore.Result
	err := p.legs.Run(ctx, &result)
	return errors.Join(err, p.legs.Close(ctx))
}

// settle makes an empty database.
func (d *drill) settle(ctx context.Context, p *scratchPlace) (err error) {
	place := d.Places[p.source.Name]
	if place.Server != "" {
		p.found.Place = "a database on a server"
		return d.borrow(ctx, p, place.Server)
	}
	if p.found.Place, err = d.engineOf(ctx, p, place.Engine); err != nil {
		return err
	}
	if p.found.Place == database.SQLite {
		if p.at, err = d.Databases.SQLite(filepath.Join(d.room.sources(), p.name+".sqlite")); err == nil {
			p.asker, err = d.Databases.Asker(p.at)
		}
		return err
	}
	scheme, err := database.ParseLocation(p.found.Place + "://localhost/x")
	if err != nil {
		return err
	}
	if p.asker, err = d.Databases.Asker(scheme); err != nil {
		return err
	}
	p.server, p.at, err = scratch.Start(ctx, p.found.Place, filepath.Join(d.room.servers(), strconv.Itoa(len(d.places))), p.asker)
	return err
}

// borrow makes a database on a server that is there.
func (d *drill) borrow(ctx context.Context, p *scratchPlace, file string) error {
	server, err := d.Databases.Read(file)
	if err != nil {
		return err
	}
	if p.asker, err = d.Databases.Asker(server); err != nil {
		return err
	}
	mark := fmt.Sprintf("%sx%d", strings.ToLower(d.room.mark()), len(d.report.Sources))
	if err := d.room.note(borrowed{Server: file, Mark: mark}); err != nil {
		return err
	}
	p.at, err = scratch.Borrow(ctx, server, mark, p.asker)
	return err
}

// engineOf chooses the engine of a scratch database.
func (d *drill) engineOf(ctx context.Context, p *scratchPlace, wanted string) (string, error) {
	if wanted == database.SQLite {
		return wanted, nil
	}
	if wanted != "" {
		return wanted, scratch.Installed(wanted)
	}
	src, err := d.openRows(ctx, p)
	if err != nil {
		return "", err
	}
	schema, err := src.Schema(ctx)
	if err = errors.Join(err, src.Close()); err != nil {
		return "", err
	}
	own := schema.Engine
	if own == database.MySQL {
		own = database.MariaDB
	}
	if own == database.SQLite {
		return own, nil
	}
	if err := scratch.Installed(own); err != nil {
		d.remark(fmt.Sprintf("%s was restored to SQLite, since %v", p.name, err))
		return database.SQLite, nil
	}
	return own, nil
}

// openRows opens what the snapshot has of a database.
func (d *drill) openRows(ctx context.Context, p *scratchPlace) (database.Source, error) {
	t, fetcher, err := p.legs.Open(p.source)
	if err != nil {
		return nil, err
	}
	return rows.Open(fetcher.Files(ctx, t), database.SourceOptions{Aside: d.Aside})
}

// plan is how a database comes back: to the scratch role, whoever owned it.
var plan = database.PlanOptions{NoOwner: true}

// fillDatabase restores a database.
func (d *drill) fillDatabase(ctx context.Context, p *scratchPlace) (err error) {
	src, err := d.openRows(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := d.Databases.Target(ctx, p.at, database.TargetOptions{Jobs: d.Jobs, Aside: d.Aside})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	report, err := convert.Run(ctx, src, dst, convert.Options{Plan: plan, Jobs: d.Jobs, Progress: restore.CountRows(d.Progress)})
	if report != nil {
		for _, f := range report.Inexact() {
			d.remark(p.name + ": " + f.String())
		}
	}
	return err
}

// leave ends the servers, and removes the room.
func (d *drill) leave(ctx context.Context) error {
	var failed []error
	for _, p := range d.places {
		if p.server != nil {
			failed = append(failed, p.server.Stop())
		}
	}
	return errors.Join(append(failed, d.room.remove(ctx, d.Databases))...)
}

package main

import (
	"context"
	"errors"
	"io"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/room"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/platform/drill"
	"github.com/packstone/packstone/pipeline/restore"
)

// restoreForPage restores what somebody wants to look at. Nothing of it runs by itself or gives
// rights to others, so programs lose their setuid bits and devices are left out.
func (a *app) restoreForPage(ctx context.Context, settings *config.Config, w page.Wanted, follow func(func() daemon.Live)) (got page.Restored, err error) {
	said := daemon.NewJobLog(io.Discard, "")
	a = a.forJob(said, settings)
	defer a.patience.End()
	a.stdout, a.flags.Repository, a.flags.dryRun = io.Discard, w.Repository, w.Plan
	a.out = output.New(output.Options{Stdout: io.Discard, Stderr: said, Quiet: true})
	a.out.Follow(said.Follow)
	a.patience.Out = a.out
	if w.Keys.Lent != nil {
		a.Hold(w.Keys.Lent)
	}
	follow(said.Live)
	r, _, err := a.newRestoring(ctx, restoreOptions{target: w.Into, verify: true, noSpecial: true}, w.Place, machine.MustRead)
	if err != nil {
		err = a.classify(err)
		return got, &plainError{causeOf(err, said.Tail()), err}
	}
	places := &scratchPlaces{restoring: r, borrow: w.Borrow}
	r.fill = places.fill
	err = r.restore(ctx)
	said.Finish()
	got = page.Restored{Entries: r.total.Restored, Bytes: r.total.Bytes, Need: r.need()}
	if err = a.classify(err); err == nil {
		return got, nil
	}
	cause := causeOf(err, said.Tail())
	if code := exitCode(ctx, err); code == exitMissing || code == exitIntegrity {
		got.Missing = cause
		return got, nil
	}
	return got, &plainError{cause, err}
}

// plainError is an error as the page says it, in a line.
type plainError struct {
	text  string
	cause error
}

// Error implements error.
func (e *plainError) Error() string { return e.text }

// Unwrap returns what it says in other words.
func (e *plainError) Unwrap() error { return e.cause }

// scratchPlaces are where the databases of a restore from the page go: on the server on which the
// drills of their set restore them, else into files.
type scratchPlaces struct {
	*restoring
	borrow func(room.Database) error
}

func (p *scratchPlaces) fill(ctx context.Context, s *catalog.SourceState) error {
	settings, err := p.Settings()
	if err != nil {
		return err
	}
	file := settings.Sets[p.snapshot.Set].Drill.Scratch[s.Name]
	switch {
	case file == "" || config.ScratchEngine(file) != "":
		return p.database(ctx, s)
	case p.dry():
		p.total.Restored++
		return nil
	}
	at, err := room.MakeDatabase(ctx, s.Name, file, p.borrow)
	if err != nil {
		return err
	}
	return p.convert(ctx, s, at)
}

// convert fills a database, whose tables belong to the role of the server.
func (p *scratchPlaces) convert(ctx context.Context, s *catalog.SourceState, at database.Location) (err error) {
	src, err := p.openStreams(ctx, s, database.Filter{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := config.OpenTarget(ctx, at, database.TargetOptions{Jobs: restoreJobs, Aside: p.Aside()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	report, err := convert.Run(ctx, src, dst, convert.Options{Plan: database.PlanOptions{NoOwner: true}, Jobs: restoreJobs, Progress: restore.CountRows(&p.progress)})
	if err != nil {
		return err
	}
	for _, f := range report.Inexact() {
		p.out.Problem(s.Name, "restore", errors.New(f.String()))
		p.inexact++
	}
	p.total.Restored++
	return nil
}

// need is how many bytes a planned restore takes, at most.
func (r *restoring) need() uint64 {
	var rows uint64
	for _, source := range r.sources {
		if r.isDatabase(source) { // also where it goes to a server, which may be on the same disk
			rows += source.Coverage.Bytes
		}
	}
	return drill.NeedOf(r.total.Restored, r.total.Bytes, rows)
}

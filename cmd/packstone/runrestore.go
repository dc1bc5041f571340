package main

import (
	"context"
	"errors"
	"io"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/daemon"
	"github.com/packstone/packstone/cmd/internal/destination"
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
	o := restoreOptions{where: destination.Options{Directory: w.Into}, how: restore.Options{Verify: true, NoSpecial: true}, filling: dbOptions{how: convert.Options{Jobs: restoreJobs}}}
	r, _, err := a.newRestoring(ctx, o, w.Place, machine.MustRead)
	if err != nil {
		err = a.classify(err)
		return got, &plainError{causeOf(err, said.Tail()), err}
	}
	r.to.Inexact = func(source string, what database.Finding) {
		r.inexact++
		r.out.Problem(source, "restore", errors.New(what.String()))
	}
	r.to.Database = func(s *catalog.SourceState) error { return r.addScratch(settings, s, w.Borrow) }
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

// addScratch restores a database on the server on which the drills of its set restore it, else into
// a file.
func (r *restoring) addScratch(settings *config.Config, s *catalog.SourceState, borrow func(room.Database) error) error {
	file := settings.Sets[r.snapshot.Set].Drill.Scratch[s.Name]
	if file == "" || config.ScratchEngine(file) != "" {
		return r.to.AddFile(s)
	}
	r.to.AddDatabase(s, func(ctx context.Context) (database.Location, error) {
		return room.MakeDatabase(ctx, s.Name, file, borrow)
	})
	return nil
}

// need is how many bytes a planned restore takes, at most.
func (r *restoring) need() uint64 {
	var rows uint64
	for _, source := range r.sources {
		if r.to.IsDatabase(source) { // also where it goes to a server, which may be on the same disk
			rows += source.Coverage.Bytes
		}
	}
	return drill.NeedOf(r.total.Restored, r.total.Bytes, rows)
}

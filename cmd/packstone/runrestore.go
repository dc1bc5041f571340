package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/doctor"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/cmd/internal/page"
	"github.com/packstone/packstone/cmd/internal/room"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/scratch"
	"github.com/packstone/packstone/pipeline/platform/drill"
	"github.com/packstone/packstone/pipeline/restore"
)

// newScratch restores into scratch places for the page, below the directory that the settings name
// at the time.
func (s *service) newScratch() *page.Scratch {
	return &page.Scratch{
		Directory: func() string {
			if known := s.pages.known.Load(); known != nil {
				return known.settings.Serve.Scratch
			}
			return s.settings.Serve.Scratch
		},
		Restore: s.restoreForPage, GiveBack: giveBack, Free: doctor.FreeIn, Now: time.Now, Say: s.sayerOf(),
	}
}

// restoreForPage restores what somebody wants to look at. Nothing of it runs by itself or gives
// rights to others, so programs lose their setuid bits and devices are left out.
func (s *service) restoreForPage(ctx context.Context, w page.Wanted, follow func(func() page.Live)) (got page.Restored, err error) {
	said := &jobLog{to: io.Discard}
	a := s.forJob(said, s.pages.known.Load().settings)
	defer a.patience.End()
	a.stdout, a.flags.Repository, a.flags.dryRun = io.Discard, w.Repository, w.Plan
	a.out = output.New(output.Options{Stdout: io.Discard, Stderr: said, Quiet: true})
	a.out.Follow(said.follow)
	a.patience.Out = a.out
	if w.Keys.Lent != nil {
		a.Hold(w.Keys.Lent)
	}
	follow(said.live)
	r, _, err := a.newRestoring(ctx, restoreOptions{target: w.Into, verify: true, noSpecial: true}, w.Place, machine.MustRead)
	if err != nil {
		err = a.classify(err)
		return got, &plainError{causeOf(err, said.tail()), err}
	}
	places := &scratchPlaces{restoring: r, borrow: w.Borrow}
	r.fill = places.fill
	err = r.restore(ctx)
	said.finish()
	got = page.Restored{Entries: r.total.Restored, Bytes: r.total.Bytes, Need: r.need()}
	if err = a.classify(err); err == nil {
		return got, nil
	}
	cause := causeOf(err, said.tail())
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
	at, err := p.newDatabase(ctx, s.Name, file)
	if err != nil {
		return err
	}
	return p.convert(ctx, s, at)
}

// newDatabase makes an empty database on a server.
func (p *scratchPlaces) newDatabase(ctx context.Context, source, file string) (at database.Location, err error) {
	server, err := config.ReadLocation(file)
	if err != nil {
		return at, err
	}
	asker, err := config.AskerOf(server)
	if err != nil {
		return at, err
	}
	mark := "page" + strings.ToLower(rand.Text()[:12])
	if err := p.borrow(room.Database{Source: source, Server: file, Mark: mark, Name: scratch.Borrowed(mark)}); err != nil {
		return at, err
	}
	return scratch.Borrow(ctx, server, mark, asker)
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

// giveBack drops a database that was made for the page.
func giveBack(d room.Database) error {
	server, err := config.ReadLocation(d.Server)
	if err != nil {
		return err
	}
	asker, err := config.AskerOf(server)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
	defer cancel()
	return scratch.Return(ctx, server, d.Mark, asker)
}

// giveBackTime is how long dropping a database may take.
const giveBackTime = time.Minute

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

// sweepScratch removes what was being restored for the page when its process was killed.
func (s *service) sweepScratch(places *page.Scratch) {
	removed, err := places.Sweep()
	for _, place := range removed {
		s.say("removed what a restore from the page that was killed had left in %s", place)
	}
	if err != nil {
		s.Warn(err.Error())
	}
}

// pageAct is what run prints as JSON when somebody does something on the page.
type pageAct struct {
	Time time.Time   `json:"time" doc:"When it was."`
	By   output.Name `json:"by" doc:"Who has done it, as far as is known, and from where."`
	Act  output.Name `json:"act" doc:"What he has done."`
}

// sayerOf tells the log what people do on the page, from any goroutine.
func (s *service) sayerOf() func(page.Act) {
	out := s.out
	return func(act page.Act) {
		now := time.Now()
		if out.JSON() {
			out.Message("page_act", pageAct{now, output.Name(act.By), output.Name(act.What)}, "")
			return
		}
		out.Note("%spage: %s %s", s.stamp(now), act.By, act.What)
	}
}

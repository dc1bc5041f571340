// Package drill proves that a snapshot can be restored. It restores it to scratch places, compares
// every row and every file with the snapshot, asks what the operator wants to be so, and then
// damages the scratch copy, which the same comparison must notice: else it proves nothing. How long
// each step took is measured, and the report is signed into the repository.
//
// Scratch places are removed at the end, also after an interruption. What a process left behind
// that was killed the next drill removes, or Clean.
package drill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/fetch"
	"github.com/packstone/packstone/pipeline/target"
)

// ErrFailed: the drill was done, and its report says that it has not passed.
var ErrFailed = errors.New("the drill has failed")

// Options say what is drilled, where and by what means. What opens something is required.
type Options struct {
	Repo     *catalog.Repository
	Snapshot *catalog.Snapshot
	Any      bool   // it was chosen by chance
	By       string // the host that drills
	Fetch    fetch.Options

	Directory  string           // below which scratch places are made
	Places     map[string]Place // of databases, by the names of their sources
	Assertions []Assertion

	// OpenDirectory opens a directory for what was backed up of a source; warn takes what comes
	// back without all of its metadata.
	OpenDirectory func(root string, s *catalog.SourceState, warn func(path string, err error)) (target.Target, error)
	Databases     Databases
	// Command runs a command of an assertion, with these variables beside those it has anyway.
	Command func(ctx context.Context, command, variables []string) error
	Free    func(dir string) (bytes uint64, err error) // on the file system of a directory; errors.ErrUnsupported: nobody knows

	Aside    string // a directory for long cells, as in database.SourceOptions
	Jobs     int    // tables that are filled at once
	Parallel int    // files that are read at once
	Progress *pipeline.Progress
	Step     func(name string) // is told each step when it begins; may be nil

	damage damager // nil: real damage
}

// Place is where a database is restored to.
type Place struct {
	// Engine is postgres, mariadb or sqlite; "": the source's own if its server is installed here,
	// else sqlite.
	Engine string
	// Server names, instead, a file with the URL of a database on a server, beside which a new one
	// is made.
	Server string
}

// Databases open databases of every engine.
type Databases struct {
	Target func(ctx context.Context, at database.Location, o database.TargetOptions) (database.Target, error)
	Asker  func(at database.Location) (database.Asker, error)
	SQLite func(file string) (database.Location, error)
	Read   func(file string) (database.Location, error) // the URL that is in a file
}

// Assertion is what an operator wants to be so of what was restored: a value of SQL, or a command
// that ends with 0.
type Assertion struct {
	Source  string // of SQL
	SQL     string
	Want    string // "": 1
	Command []string
}

// Run does a drill. Where it was done to its end there is a report, which is in the repository; the
// error wraps ErrFailed then if it has not passed. Without a report the drill could not be done.
func Run(ctx context.Context, o Options) (*catalog.DrillReport, error) {
	if o.damage == nil {
		o.damage = damage{}
	}
	if o.Progress == nil {
		o.Progress = &pipeline.Progress{}
	}
	d := &drill{Options: o, began: time.Now()}
	d.report = d.newReport()
	left, err := Clean(ctx, o.Directory, o.Databases)
	if err != nil {
		return nil, err
	}
	for _, dir := range left {
		d.remark("removed what a drill that was killed had left in " + dir)
	}
	if err := d.do(ctx); err != nil {
		return nil, err
	}
	d.conclude()
	if err := o.Repo.ReportDrill(ctx, d.report); err != nil {
		return d.report, err
	}
	if !d.report.Passed {
		return d.report, fmt.Errorf("%w: %s", ErrFailed, d.report.Failures[0])
	}
	return d.report, nil
}

// drill is one drill.
type drill struct {
	Options
	began  time.Time
	room   *room
	places []*scratchPlace

	mu     sync.Mutex // of Failures and Remarks, which a restore adds to from several goroutines
	report *catalog.DrillReport
}

func (d *drill) newReport() *catalog.DrillReport {
	s := d.Snapshot
	moment := s.Time
	for i := range s.Sources {
		if at := s.Sources[i].Moment; !at.IsZero() && at.Before(moment) {
			moment = at
		}
	}
	return &catalog.DrillReport{
		Set: s.Set, Host: s.Host, By: d.By, Snapshot: s.ID.String(), SnapshotTime: s.Time, Any: d.Any,
		Began: d.began.UTC(), RPO: max(0, d.began.Sub(moment).Seconds()), Sources: make([]catalog.DrillSource, 0, len(s.Sources)), // which places point into
	}
}

// do does all steps, and leaves no scratch place behind. An error means that the drill could not be
// done.
func (d *drill) do(ctx context.Context) (err error) {
	if err := d.checkSpace(); err != nil {
		return err
	}
	if d.room, err = newRoom(ctx, d.Directory); err != nil {
		return err
	}
	err = d.work(ctx)
	unbroken := context.WithoutCancel(ctx)
	swept := d.step(unbroken, "clean up", false, func(ctx context.Context) error { return d.leave(ctx) })
	return errors.Join(err, swept)
}

func (d *drill) work(ctx context.Context) error {
	for i := range d.Snapshot.Sources {
		if err := d.restore(ctx, &d.Snapshot.Sources[i]); err != nil {
			return err
		}
	}
	for p := range d.restored() {
		if err := d.compare(ctx, p); err != nil {
			return err
		}
	}
	if err := d.assertAll(ctx); err != nil {
		return err
	}
	return d.controlAll(ctx)
}

// restored are the places that hold what they are to hold.
func (d *drill) restored() iter.Seq[*scratchPlace] {
	return func(yield func(*scratchPlace) bool) {
		for _, p := range d.places {
			if p.restored && !yield(p) {
				return
			}
		}
	}
}

// step does a part of the drill, and measures it. rto: a restore in earnest would do it too. What
// goes wrong is a failure of the drill, unless nothing can go on after it.
func (d *drill) step(ctx context.Context, name string, rto bool, do func(ctx context.Context) error) error {
	if d.Step != nil {
		d.Step(name)
	}
	begun, moved := time.Now(), d.Progress.BytesDone.Load()
	err := do(ctx)
	step := catalog.DrillStep{Name: name, Seconds: time.Since(begun).Seconds(), Bytes: d.Progress.BytesDone.Load() - moved, RTO: rto, Failed: err != nil}
	d.report.Steps = append(d.report.Steps, step)
	if rto {
		d.report.RTO += step.Seconds
	}
	if err == nil {
		return nil
	}
	if away := store.Unavailable(ctx, err); away != nil {
		return away
	}
	d.fail("%s: %v", name, err)
	return nil
}

// conclude says whether the drill has passed.
func (d *drill) conclude() {
	d.report.Seconds = time.Since(d.began).Seconds()
	d.report.Passed = len(d.report.Failures) == 0
}

// mostTexts is how many failures, remarks or differences of a source a report has.
const mostTexts = 100

func (d *drill) fail(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.report.Failures) < mostTexts {
		d.report.Failures = append(d.report.Failures, fmt.Sprintf(format, args...))
	}
}

func (d *drill) remark(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.report.Remarks) < mostTexts {
		d.report.Remarks = append(d.report.Remarks, text)
	}
}

// nameOf is what a source is called in messages and in the scratch room.
func nameOf(s *catalog.SourceState) string {
	if s.Name == catalog.AdHoc {
		return "paths"
	}
	return entry.Printable(s.Name)
}

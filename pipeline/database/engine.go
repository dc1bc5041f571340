package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/archive/disk"
)

// Sentinels. Engines wrap their own errors in these, so that a caller can tell
// what happened without knowing the engine.
var (
	// ErrRefused: nothing was changed, on purpose. Those that follow up to
	// ErrHiddenRows are refusals.
	ErrRefused = errors.New("refused")
	// ErrNotEmpty: the target already holds something.
	ErrNotEmpty = refusal("the target is not empty")
	// ErrTaken: what would be made beside what is there has a name that is taken.
	ErrTaken = refusal("the name is taken")
	// ErrLeftover comes with ErrNotEmpty: what is there was left behind by an
	// import that was killed. TargetOptions.EmptyLeftover drops it.
	ErrLeftover = refusal("an import that was killed left it behind")
	// ErrInexact: Strict was asked for and something cannot be kept exactly.
	ErrInexact = refusal("not everything can be kept exactly")
	// ErrHiddenRows: the user may not see all rows (row-level security).
	ErrHiddenRows = refusal("some rows are hidden from this user")
	// ErrUntrusted: code of users who are no superusers would run with a
	// superuser's rights, which PlanOptions.TrustCode was not given for.
	ErrUntrusted = refusal("code of others would run with a superuser's rights")
	// ErrUnsound: a schema that was stored is not one that this program writes.
	ErrUnsound = refusal("the stored schema is not sound")
	// ErrValue: a value has no place in the target. The transaction is rolled
	// back.
	ErrValue = errors.New("value cannot be stored")
	// ErrNUL comes with ErrValue where PlanOptions.NUL would let the value in.
	ErrNUL = errors.New("text holds a NUL character")
	// ErrMismatch: what was written differs from what was read.
	ErrMismatch = errors.New("the copy differs from the source")
	// ErrUnreachable: the server does not answer or refuses the login.
	ErrUnreachable = fmt.Errorf("database %w", disk.ErrUnreachable)
	// ErrRebase: whoever takes rows has seen enough of them, and reads the table again from its
	// start.
	ErrRebase = errors.New("the delta outgrew its limit")
)

type refusalError string

func refusal(text string) error { return refusalError(text) }

// Error implements error.
func (r refusalError) Error() string { return string(r) }

// Is implements what errors.Is asks.
func (r refusalError) Is(target error) bool { return target == ErrRefused }

// Driver opens databases of one engine. A driver has no state and may be used
// by many goroutines.
type Driver interface {
	// OpenSource connects and opens one consistent snapshot, the same for all
	// later calls. Nothing is written to the source.
	OpenSource(ctx context.Context, at Location, opts SourceOptions) (Source, error)
	// OpenTarget connects. It changes nothing; Target.Create is the first to do so.
	OpenTarget(ctx context.Context, at Location, opts TargetOptions) (Target, error)
}

// Rehearser is a Driver that can tell, without a server, how a schema of its own engine would come
// back into a server that lacks none of its roles and denies nothing.
type Rehearser interface {
	Driver
	// Rehearse names what would be left out. An error says why nothing would come back.
	Rehearse(s *Schema) ([]Finding, error)
}

// Asker is a Driver with which a person's own SQL runs.
type Asker interface {
	Driver
	// OpenSession connects.
	OpenSession(ctx context.Context, at Location) (Session, error)
}

// Session runs SQL, a statement at a time.
type Session interface {
	// Ask gives the first value of the first row as the engine writes it; false if there is no row,
	// or the value is null.
	Ask(ctx context.Context, sql string) (value string, found bool, err error)
	// Exec runs a statement and counts the rows that it has changed.
	Exec(ctx context.Context, sql string) (changed int64, err error)
	// Close disconnects.
	Close() error
}

// Drivers maps the scheme of a URL to its engine.
type Drivers map[string]Driver

// For finds the driver of a location.
func (d Drivers) For(at Location) (Driver, error) {
	if driver, ok := d[at.Scheme()]; ok {
		return driver, nil
	}
	return nil, errors.New("open " + at.String() + ": no engine is known by the scheme " + at.Scheme())
}

// SourceOptions are asked of a source when it opens. The zero value works.
type SourceOptions struct {
	Filter Filter
	// Jobs is how many tables can be read at once, at most; 0 means 1. It bounds
	// connections; convert.Run reads no more than its own Options.Jobs.
	Jobs int
	// Scratch is a directory for a temporary copy where reading in place would
	// hold up writers (a SQLite file without WAL). Empty: read in place.
	Scratch string
	// Aside is a directory in which cells of more than LongBytes wait, in files
	// without a name. Empty: they are held in memory.
	Aside string
}

// TargetOptions are asked of a target when it opens. The zero value works.
type TargetOptions struct {
	// Jobs is how many tables may be loaded at once where the engine gains by
	// it; 0 means 1. More than 1 may give up the single transaction.
	Jobs int
	// EmptyLeftover lets Create drop what an earlier import that was killed left
	// behind. Only an engine that cannot take back DDL, or one that commits more
	// than once for Jobs, leaves anything; it knows its own leavings by a mark, and
	// without this option refuses with ErrLeftover.
	EmptyLeftover bool
	// Aside is as in SourceOptions, for rows that are read back.
	Aside string
}

// Reader is what source and target have in common: a schema and rows.
type Reader interface {
	// Schema reads the catalog. Calls give equal answers.
	Schema(ctx context.Context) (*Schema, error)
	// Rows reads a table and hands batches to send, which takes them over. The order of rows is the
	// same for equal databases: that of Table.Order, or close to it where the server does not sort.
	// The table is one that Schema, or for a target Plan, gave out. An error of send ends the
	// reading and is returned as it is; after ErrRebase the table is asked for again. A Source may
	// be asked for SourceOptions.Jobs tables at once and for one table twice; a Target for one
	// table at a time.
	Rows(ctx context.Context, t *Table, send func(*Batch) error) error
}

// Source is one consistent snapshot of a database.
type Source interface {
	Reader
	// Sequences reads the counters. It is called after all rows were read, since
	// counters stand outside snapshots: a later value never collides with a row.
	// The caller puts the result in Schema.Sequences, replacing what is there.
	Sequences(ctx context.Context) ([]*Sequence, error)
	// Close ends the snapshot.
	Close() error
}

// Narrow is a Source that says how many tables it can read at once: what it was
// opened for, or less for want of a privilege. convert.Run reads no more.
type Narrow interface {
	Source
	// Jobs is how many tables can be read at once.
	Jobs() int
}

// Recorder is a Source that was written together with digests of its rows, as an export is.
// convert.Run lists the tables whose rows differ from them.
type Recorder interface {
	Source
	// Recorded gives digests by table ID.
	Recorded(ctx context.Context) (map[string]Digest, error)
}

// Target is a database to be filled. The order of calls is Plan, Create, Load
// for every table, Finish, Rows where the copy is verified, Commit; Close at any
// time. convert.Verify uses Plan, Schema and Rows alone. Except for Load (see
// Plan.Loaders), one call at a time.
type Target interface {
	Reader
	// Plan maps a schema to this engine and says what is lost. It looks at the
	// target but changes nothing. Equal schemas give equal plans.
	Plan(ctx context.Context, s *Schema, opts PlanOptions) (*Plan, error)
	// Create refuses with ErrNotEmpty unless the target is empty, then makes
	// schemas, types and tables, without what would slow or hinder the loading.
	// What could not be made it adds to the plan's findings.
	Create(ctx context.Context, p *Plan) error
	// Load fills a table. next gives batches in the canonical form of t.Target's
	// columns, io.EOF at the end; Load releases each (Batch.Release). It has
	// pulled io.EOF when it returns nil.
	Load(ctx context.Context, t *PlannedTable, next func() (*Batch, error)) error
	// Finish builds keys, indexes and foreign keys, checks them, sets counters
	// (s.Sequences is now up to date, r holds digests of what was loaded) and
	// replays native DDL. Objects that could not be made are returned as
	// findings; a broken constraint is an error.
	Finish(ctx context.Context, p *Plan, r *Report) ([]Finding, error)
	// Commit makes it all lasting.
	Commit(ctx context.Context) error
	// Close disconnects. Without Commit the target is as it was before Create;
	// an engine that cannot take back DDL drops what it made.
	Close() error
}

// LongLoader is a Target whose Load takes batches with long cells; any other is
// given all cells in memory.
type LongLoader interface {
	Target
	// LoadsLong marks it.
	LoadsLong()
}

// Concluder is a Target with objects whose making evaluates what people wrote, or that would be in
// the way of reading rows back: it makes them last of all, when the rows were compared.
type Concluder interface {
	Target
	// Conclude makes these objects. Its findings are those of Finish.
	Conclude(ctx context.Context, p *Plan) ([]Finding, error)
}

// ParallelReader is a Target of which several tables may be read back at once.
type ParallelReader interface {
	Target
	// ReadersAtOnce is how many, and whether they may be read while Finish builds; what Conclude
	// makes comes after both. It is asked after all rows were loaded.
	ReadersAtOnce() (n int, besideFinish bool)
}

// Checker is a Target that can look for damage beyond its rows; Verify calls it.
type Checker interface {
	// Check gives an ErrMismatch that names what is damaged.
	Check(ctx context.Context) error
}

// PlanOptions are the choices a conversion leaves to people. The zero value
// refuses to lose anything that it is not told to.
type PlanOptions struct {
	// NoNativeDDL builds from the neutral schema even in the same family. No
	// statement that came with the schema runs.
	NoNativeDDL bool
	// NoOwner gives everything to whoever imports.
	NoOwner bool
	// Roles says who takes the place of a role or user of the source.
	Roles map[string]string
	// HandedOver says that the schema comes from a file that anybody may have
	// written. What only a superuser could have made is doubted.
	HandedOver bool
	// TrustCode lets code of users who are no superusers run with the rights of
	// whoever imports.
	TrustCode bool
	// Beside makes tables in a database that is not empty, from the neutral
	// schema, and refuses with ErrTaken one whose name is taken. Other names
	// that are taken are changed.
	Beside bool
	// ZeroDates says what becomes of MySQL's impossible dates elsewhere.
	ZeroDates ZeroDates
	// NUL says what becomes of NUL characters where text cannot hold them.
	NUL NULPolicy
}

// ZeroDates is a policy for dates such as 0000-00-00 and 2026-02-31.
type ZeroDates string

// Policies for zero dates.
const (
	ZeroDatesNull   ZeroDates = "" // null where the column allows it, else ErrValue
	ZeroDatesRefuse ZeroDates = "refuse"
	// ZeroDatesLoosen makes them null everywhere: columns of dates that come from
	// MySQL allow null in the target, keys excepted.
	ZeroDatesLoosen ZeroDates = "loosen"
)

// NULPolicy is a policy for NUL in text.
type NULPolicy string

// Policies for NUL.
const (
	NULRefuse NULPolicy = ""
	NULStrip  NULPolicy = "strip"
)

// Plan is what a target will make of a schema.
type Plan struct {
	Source *Schema
	Native bool // objects are replayed by their own DDL
	Tables []*PlannedTable
	// Findings name objects that are exact or not; the core adds the rest.
	Findings []Finding
	// Statements are those that came with the schema and are going to run, in
	// their order.
	Statements []string
	// Untrusted names what would run with a superuser's rights though it belongs
	// to no superuser. convert.Run refuses that unless PlanOptions.TrustCode is set.
	Untrusted []Finding
	// Loaders is how many Loads may run at once; 0 means 1.
	Loaders int
	// LooseActions says that the engine refuses some actions of foreign keys only
	// when they are made, and does without; Verify then does not compare them.
	LooseActions bool
	// Detail belongs to the engine.
	Detail any
}

// LeftOutOf lists the findings of a plan about what would not be there.
func LeftOutOf(p *Plan) (out []Finding) {
	for _, f := range p.Findings {
		if f.Status == Dropped {
			out = append(out, f)
		}
	}
	return out
}

// PlannedTable pairs a source's table with what it becomes. Target's columns
// are Source's, in the same order, with names and types of the target engine
// and their kinds and canonical forms.
type PlannedTable struct {
	Source *Table
	Target *Table
	// Convert holds a conversion per column; nil, also for the whole slice,
	// where canonical cells pass unchanged.
	Convert []*Conversion
}

// Conversion carries a cell from the source's canonical form to the target's.
type Conversion struct {
	// Cell returns the new cell, and whether information was lost. The returned
	// bytes may alias the given ones or a buffer of the conversion; they are
	// used before the next call. A value that cannot be stored is an error that
	// says why; the core adds the address and ErrValue.
	Cell func(Cell) (out Cell, lossy bool, err error)
	// Keeps, if set, says of a piece of a text or blob that nothing in it is to be changed; a cell
	// of which that is true throughout passes as it is, without being held in memory.
	Keeps func(class Class, piece []byte) bool
	// Code and Lost describe a lossy change for the report.
	Code Code
	Lost string
}

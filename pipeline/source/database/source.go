// Package database is the source for a database: one consistent snapshot, as streams of rows.
// pipeline/database/rows/STREAM.md specifies the entries and their content. Rows go straight from
// the database to the reader of the entries. Only fingerprints, by which the next backup detects
// changes, and the changes themselves are stored locally.
package database

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/packstone/packstone/catalog/entry"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/source"
)

// Options determine what to read. Driver and At are required.
type Options struct {
	Driver db.Driver
	At     db.Location
	Filter db.Filter
	// Jobs is the largest number of tables that are read at once (default: 1).
	Jobs int
	// StateDir is where the source remembers what its tables looked like. No other source or set
	// may use it, and it may be deleted at any time. It also holds large values, and a copy of a
	// SQLite file for whose reading writers would have to wait. If empty, every backup contains
	// whole tables, files are read in place, and large values are held in memory.
	StateDir string
	// Observer is shown what is read; nil: nobody is.
	Observer db.Observer
}

// Source is one database. It implements source.Source, source.Dated and source.Incremental.
type Source struct {
	options    Options
	generation string // of the runs that this source writes
	previous   source.Lookup

	moment    time.Time
	schema    *db.Schema
	reader    db.Source
	turns     chan struct{} // bounds how many tables are read at once
	tables    []*table      // in the order of their paths
	states    *states
	running   sync.WaitGroup // readers of tables
	mu        sync.Mutex     // around documents and runs
	documents map[string][]byte
	runs      map[string]*table // by path, those that must be read
}

var (
	_ source.Source      = (*Source)(nil)
	_ source.Incremental = (*Source)(nil)
	_ source.Dated       = (*Source)(nil)
	_ source.Counting    = (*Source)(nil)
)

// New checks the options. Walk connects.
func New(options Options) (*Source, error) {
	if options.Driver == nil {
		return nil, errors.New("database: no driver")
	}
	var generation [12]byte
	rand.Read(generation[:])
	return &Source{
		options: options, generation: hex.EncodeToString(generation[:]),
		documents: map[string][]byte{}, runs: map[string]*table{},
	}, nil
}

// Class returns small, since rows change in many places.
func (s *Source) Class() source.Class { return source.ClassSmall }

// Previous implements source.Incremental.
func (s *Source) Previous(lookup source.Lookup) { s.previous = lookup }

// Moment returns when the snapshot was opened; zero before Walk.
func (s *Source) Moment() time.Time { return s.moment }

// Walk opens the snapshot, finds the changes in remembered tables, and visits the entries.
func (s *Source) Walk(ctx context.Context, v source.Visitor) error {
	if err := s.openStates(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return failed(err)
	}
	s.tellLosses(v)
	if err := s.remember(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var comparing sync.WaitGroup
	defer comparing.Wait()
	defer cancel()
	comparing.Go(func() { s.compareAll(ctx) })
	return s.visitAll(ctx, v)
}

// failed marks an error as one of the whole source.
func failed(err error) error {
	mark := source.ErrFailed
	if errors.Is(err, db.ErrUnreachable) {
		mark = source.ErrUnreachable
	}
	return fmt.Errorf("%w: %w", mark, err)
}

// begin opens the snapshot and reads everything except rows. Counters are not part of snapshots and
// only increase: read at any time after the snapshot began, they are at or past every value in its
// rows.
func (s *Source) begin(ctx context.Context) error {
	jobs := max(s.options.Jobs, 1)
	s.moment = time.Now().UTC()
	var err error
	s.reader, err = s.options.Driver.OpenSource(ctx, s.options.At, db.SourceOptions{
		Filter: s.options.Filter, Jobs: jobs, Scratch: s.states.scratch(), Aside: s.states.scratch(),
	})
	if err != nil {
		return err
	}
	if narrow, ok := s.reader.(db.Narrow); ok {
		jobs = min(jobs, narrow.Jobs())
	}
	s.reader = db.Observed(s.reader, s.options.Observer)
	s.turns = make(chan struct{}, jobs)
	if s.schema, err = s.reader.Schema(ctx); err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	for _, f := range s.schema.Findings {
		if f.Code == db.CodeHistory || f.Code == db.CodeMoved {
			s.schema.Losses = append(s.schema.Losses, f)
		}
	}
	if s.schema.Sequences, err = s.reader.Sequences(ctx); err != nil {
		return fmt.Errorf("read the counters: %w", err)
	}
	for _, t := range s.schema.Tables {
		s.tables = append(s.tables, newTable(s, t))
	}
	slices.SortFunc(s.tables, func(a, b *table) int { return entry.ComparePaths(a.dir, b.dir) })
	return nil
}

// Advice implements source.Advising. It says why tables are read more slowly than requested.
func (s *Source) Advice() []string {
	if s.schema == nil || s.schema.Settings["reading"] == "" {
		return nil
	}
	return []string{"the database is read " + s.schema.Settings["reading"]}
}

// tellLosses reports what could not be restored even into the same engine.
func (s *Source) tellLosses(v source.Visitor) {
	for _, f := range s.schema.Findings {
		if f.Status == db.Dropped {
			v.Problem(rows.SchemaEntry, errors.New(f.String()))
		}
	}
	for _, f := range s.schema.Losses {
		v.Problem(rows.SchemaEntry, fmt.Errorf("%s is not kept as it is: %s", f.Object, f.Reason))
	}
	for _, o := range s.schema.Objects {
		if len(o.DDL) == 0 && o.Lost != "" && o.Lost != db.PartOfTable && o.Lost != db.LeftOut {
			v.Problem(rows.SchemaEntry, fmt.Errorf("%s is not kept: %s", o.ObjectID, o.Lost))
		}
	}
	s.rehearse(v)
}

// rehearse reports what a restore into the same engine would leave out, as far as that is known
// without a server.
func (s *Source) rehearse(v source.Visitor) {
	engine, ok := s.options.Driver.(db.Rehearser)
	if !ok {
		return
	}
	findings, err := engine.Rehearse(s.schema)
	if err != nil {
		v.Problem(rows.SchemaEntry, fmt.Errorf("this schema cannot be brought back into %s: %w", s.schema.Engine, err))
	}
	for _, f := range findings {
		v.Problem(rows.SchemaEntry, fmt.Errorf("a restore into %s would leave out %s: %s", s.schema.Engine, f.Object, f.Reason))
	}
}

func (s *Source) openStates() (err error) {
	if s.options.StateDir != "" {
		s.states, err = openStates(s.options.StateDir, s.generation)
	}
	return err
}

// remember finds, for each table, a state whose runs the last tree contains.
func (s *Source) remember(ctx context.Context) error {
	if s.states == nil || s.previous == nil {
		return nil
	}
	for _, t := range s.tables {
		var err error
		if t.state, err = s.states.find(ctx, t.model.ID(), s.previous); err != nil {
			return err
		}
	}
	return s.states.sweep(s.tables)
}

// compareAll finds the changes, several tables at a time.
func (s *Source) compareAll(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	for _, t := range s.tables {
		if t.state == nil {
			close(t.decided)
			continue
		}
		if err := s.take(ctx); err != nil {
			t.decide(err)
			continue
		}
		group.Go(func() {
			defer s.give()
			t.decide(t.compare(ctx))
		})
	}
}

// take waits for a turn to read from the database.
func (s *Source) take(ctx context.Context) error {
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Source) give() { <-s.turns }

func (s *Source) visitAll(ctx context.Context, v source.Visitor) error {
	report := &db.Report{
		Source: s.schema.Engine + " " + s.schema.Version, Moment: s.schema.Moment,
		Findings: append([]db.Finding{}, s.schema.Findings...), Tables: []db.TableResult{},
	}
	if err := s.visitDocument(ctx, v, rows.ReportEntry, report); err != nil {
		return err
	}
	if err := s.visitDocument(ctx, v, rows.SchemaEntry, s.schema); err != nil {
		return err
	}
	if err := s.visitDirectory(ctx, v, "tables"); err != nil {
		return err
	}
	for _, t := range s.tables {
		if err := s.visitTable(ctx, v, t); err != nil {
			return err
		}
	}
	return s.visitList(ctx, v)
}

// visitTable visits a table's runs when they are known.
func (s *Source) visitTable(ctx context.Context, v source.Visitor, t *table) error {
	select {
	case <-t.decided:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.err != nil {
		return failed(t.err)
	}
	if err := s.visitDirectory(ctx, v, t.dir); err != nil {
		return err
	}
	entries, err := t.entries(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := v.Visit(e); err != nil {
			return err
		}
	}
	return nil
}

// visitList visits the list of tables. Its content is known here unless some tables must still be
// read.
func (s *Source) visitList(ctx context.Context, v source.Visitor) error {
	for _, t := range s.tables {
		select {
		case <-t.complete:
		default:
			return v.Visit(s.file(rows.TablesEntry, 0, s.generation))
		}
	}
	return s.visitContent(ctx, v, rows.TablesEntry, s.list())
}

func (s *Source) visitDocument(ctx context.Context, v source.Visitor, name string, document any) error {
	content, err := marshal(document)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return s.visitContent(ctx, v, name, content)
}

// visitContent visits a file with known content. Its identity is the hash of the content, so that
// equal content is not stored again.
func (s *Source) visitContent(ctx context.Context, v source.Visitor, name string, content []byte) error {
	s.mu.Lock()
	s.documents[name] = content
	s.mu.Unlock()
	sum := sha256.Sum256(content)
	e := s.file(name, int64(len(content)), hex.EncodeToString(sum[:16]))
	before, err := s.before(ctx, name)
	if err != nil {
		return err
	}
	if before != nil && before.Identity == e.Identity && before.Size == e.Size {
		e.ModTime = before.ModTime
	}
	return v.Visit(e)
}

func (s *Source) visitDirectory(ctx context.Context, v source.Visitor, name string) error {
	e := s.file(name, 0, "")
	e.Type, e.Mode = entry.Directory, 0o700
	before, err := s.before(ctx, name)
	if err != nil {
		return err
	}
	if before != nil && before.Type == entry.Directory {
		e.ModTime = before.ModTime
	}
	return v.Visit(e)
}

// before returns the entry of the last tree at a path, nil if there is none.
func (s *Source) before(ctx context.Context, name string) (*entry.Entry, error) {
	if s.previous == nil {
		return nil, nil
	}
	return s.previous(ctx, name)
}

func (s *Source) file(name string, size int64, identity string) *entry.Entry {
	return &entry.Entry{
		Path: name, Type: entry.File, Mode: 0o600, Size: size, Identity: identity,
		UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), ModTime: entry.TimeOf(s.moment),
	}
}

// Detail has nothing to add.
func (s *Source) Detail(ctx context.Context, e *entry.Entry) error { return ctx.Err() }

// Open opens an entry. For the list of tables it waits until all tables were read. Callers that
// open entries in the order of the walk have begun to read all of them by then; it waits in Open,
// not while a table could be read.
func (s *Source) Open(ctx context.Context, e *entry.Entry) (source.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	content, known := s.documents[e.Path]
	t := s.runs[e.Path]
	s.mu.Unlock()
	switch {
	case known:
		return newDocument(content), nil
	case t != nil:
		return t.open(ctx)
	case e.Path == rows.TablesEntry:
		return s.openList(ctx)
	case path.Dir(path.Dir(e.Path)) == "tables":
		return nil, s.openKept(e)
	}
	return nil, fmt.Errorf("open %s: %w", e.Path, source.ErrVanished)
}

// openKept returns an error for a run of an earlier backup, whose rows no longer exist, and drops
// the table's state, so that the next backup begins with a whole table.
func (s *Source) openKept(e *entry.Entry) error {
	for _, t := range s.tables {
		if t.dir != path.Dir(e.Path) {
			continue
		}
		err := s.states.forget(t.state)
		return errors.Join(fmt.Errorf("open %s: %w: it can no longer be taken from the last snapshot; the next backup reads the whole table", e.Path, source.ErrFailed), err)
	}
	return fmt.Errorf("open %s: %w", e.Path, source.ErrVanished)
}

func (s *Source) openList(ctx context.Context) (source.File, error) {
	for _, t := range s.tables {
		select {
		case <-t.complete:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return newDocument(s.list()), nil
}

// list returns the content of tables.json, when all tables are complete.
func (s *Source) list() []byte {
	list := make([]rows.Stored, 0, len(s.tables))
	for _, t := range s.tables {
		list = append(list, t.stored)
	}
	slices.SortFunc(list, func(a, b rows.Stored) int { return cmp.Compare(a.Table, b.Table) })
	content, err := rows.MarshalStored(list)
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	return content
}

// Rows implements source.Counting. It counts the tables that were read to their end.
func (s *Source) Rows() (rows uint64) {
	for _, t := range s.tables {
		select {
		case <-t.complete:
			rows += uint64(max(0, t.stored.Rows))
		default:
		}
	}
	return rows
}

// Close ends the snapshot. The caller must close open files before.
func (s *Source) Close() error {
	s.running.Wait()
	err := s.states.close()
	if s.reader == nil {
		return err
	}
	for _, t := range s.tables {
		err = errors.Join(err, t.removeDelta())
	}
	return errors.Join(err, s.reader.Close())
}

// document is a file with its content in memory.
type document struct {
	io.Reader
	size     int64
	identity string
}

func newDocument(content []byte) *document {
	sum := sha256.Sum256(content)
	return &document{newReader(content), int64(len(content)), hex.EncodeToString(sum[:16])}
}

// Finish implements source.File.
func (d *document) Finish(e *entry.Entry) error {
	e.Size, e.Identity = d.size, d.identity
	return nil
}

// Close implements source.File.
func (d *document) Close() error { return nil }

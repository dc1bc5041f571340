package database

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sync"

	"github.com/packstone/packstone/catalog/entry"
	db "github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rows"
	"github.com/packstone/packstone/pipeline/source"
)

// table is the state of backing up one table.
type table struct {
	source *Source
	model  *db.Table
	dir    string
	state  *state // what the last tree has of it; nil: nothing to build on

	decided  chan struct{} // closed when it is known what its runs are
	err      error         // why that could not be found out
	fresh    *run          // the run that must be read; nil: there is none
	delta    *aside        // what holds it, if it is a delta
	once     sync.Once
	complete chan struct{} // closed when stored is known
	stored   rows.Stored
}

// run is an entry that contains rows.
type run struct {
	rows.Run
	Identity string `json:"identity"`
}

func newTable(s *Source, model *db.Table) *table {
	t := &table{source: s, model: model, decided: make(chan struct{}), complete: make(chan struct{})}
	t.dir = path.Dir(rows.RunPath(model.ID(), 0, false))
	return t
}

func (t *table) decide(err error) {
	t.err = err
	close(t.decided)
}

// compare reads the table and compares it with its state. If nothing has changed, no run is needed;
// otherwise the changes become a run, or all rows if there are too many changes.
func (t *table) compare(ctx context.Context) error {
	before := t.state
	prints, err := before.openPrints()
	if err != nil {
		t.state = nil // the cache is not what it was
		return nil
	}
	defer prints.Close()
	next := t.source.states.create(t.model.ID())
	defer next.discard()
	t.delta = t.source.states.aside(t.model.ID(), deltaEnding)
	result, err := t.writeDelta(ctx, next, prints)
	switch {
	case errors.Is(err, db.ErrRebase):
		t.state = nil
		return t.removeDelta()
	case err != nil:
		return err
	case !prints.intact():
		t.state = nil
		return t.removeDelta()
	case !result.Changed:
		t.completeWith(before.stored())
		return t.removeDelta()
	}
	if stored := before.stored(); stored.Fold() {
		t.state = nil
		return t.removeDelta()
	}
	return t.append(next, result)
}

func (t *table) writeDelta(ctx context.Context, next *writtenState, prints *printReader) (rows.Result, error) {
	stored := t.state.stored()
	result, err := rows.WriteDelta(ctx, t.delta, next, prints, max(stored.Budget(), 0), t.source.reader, t.model)
	return result, errors.Join(err, t.delta.end())
}

// append makes the delta the table's newest run.
func (t *table) append(next *writtenState, result rows.Result) error {
	t.fresh = &run{Run: rows.Run{Path: rows.RunPath(t.model.ID(), len(t.state.Runs), true), Bytes: result.Bytes}, Identity: t.source.generation}
	runs := append(slices.Clone(t.state.Runs), *t.fresh)
	made, err := next.keep(runs, result)
	if err != nil {
		return err
	}
	t.completeWith(made.stored())
	return nil
}

func (t *table) completeWith(stored rows.Stored) {
	t.once.Do(func() {
		t.stored = stored
		close(t.complete)
	})
}

// entries returns the table's runs in the order of their paths: those of the last tree, unchanged,
// and the one to be read.
func (t *table) entries(ctx context.Context) ([]*entry.Entry, error) {
	var out []*entry.Entry
	if t.state == nil {
		t.fresh = &run{Run: rows.Run{Path: rows.RunPath(t.model.ID(), 0, false), Bytes: max(t.model.EstimatedBytes, 0)}, Identity: t.source.generation}
	} else {
		for _, r := range t.state.Runs {
			before, err := t.source.previous(ctx, r.Path)
			if err != nil {
				return nil, err
			}
			if before == nil {
				return nil, fmt.Errorf("keep %s: %w: the last snapshot has it no more", r.Path, source.ErrFailed)
			}
			out = append(out, before)
		}
	}
	if t.fresh != nil {
		t.source.mu.Lock()
		t.source.runs[t.fresh.Path] = t
		t.source.mu.Unlock()
		out = append(out, t.source.file(t.fresh.Path, t.fresh.Bytes, t.fresh.Identity))
	}
	slices.SortFunc(out, func(a, b *entry.Entry) int { return entry.ComparePaths(a.Path, b.Path) })
	return out, nil
}

// open opens the run that must be read.
func (t *table) open(ctx context.Context) (source.File, error) {
	if t.delta == nil {
		return t.openRows(ctx)
	}
	f, err := t.delta.open()
	if err != nil {
		return nil, fmt.Errorf("open changes of table %s: %w: %w", t.model.ID(), source.ErrFailed, err)
	}
	return &deltaFile{ReadCloser: f, table: t}, nil
}

func (t *table) removeDelta() error {
	if t.delta == nil {
		return nil
	}
	err := t.delta.remove()
	t.delta = nil
	return err
}

// deltaFile is a delta that was put aside.
type deltaFile struct {
	io.ReadCloser
	table *table
}

// Finish implements source.File.
func (f *deltaFile) Finish(e *entry.Entry) error {
	e.Size = f.table.fresh.Bytes
	return nil
}

// openRows begins to read the whole table.
func (t *table) openRows(ctx context.Context) (source.File, error) {
	f := &rowsFile{table: t, pipe: newPipe()}
	if t.source.states != nil {
		f.next = t.source.states.create(t.model.ID())
	}
	ctx, f.cancel = context.WithCancel(ctx)
	f.done = make(chan struct{})
	t.source.running.Go(func() {
		defer close(f.done)
		f.result, f.err = f.read(ctx)
		f.pipe.end(f.err)
	})
	return f, nil
}

// rowsFile is a whole table that is being read from the database.
type rowsFile struct {
	table  *table
	next   *writtenState // nil: nothing is remembered
	pipe   *pipe
	cancel context.CancelFunc
	done   chan struct{}
	result rows.Result // good when done is closed
	err    error
}

func (f *rowsFile) read(ctx context.Context) (rows.Result, error) {
	s := f.table.source
	if err := s.take(ctx); err != nil {
		return rows.Result{}, err
	}
	defer s.give()
	var prints io.Writer
	if f.next != nil {
		prints = f.next
	}
	result, err := rows.WriteBase(ctx, pipeWriter{f.pipe, ctx}, prints, s.reader, f.table.model)
	if err != nil {
		return result, failed(err)
	}
	return result, nil
}

// Read implements io.Reader.
func (f *rowsFile) Read(p []byte) (int, error) { return f.pipe.Read(p) }

// Finish implements source.File. It completes the table.
func (f *rowsFile) Finish(e *entry.Entry) error {
	<-f.done
	if f.err != nil {
		return f.err
	}
	t := f.table
	e.Size = f.result.Bytes
	t.fresh.Bytes = f.result.Bytes
	runs := []run{*t.fresh}
	if f.next != nil {
		if _, err := f.next.keep(runs, f.result); err != nil {
			return failed(err)
		}
	}
	t.completeWith(storedOf(t.model.ID(), runs, f.result.Rows, f.result.Digest))
	return nil
}

// Close implements source.File. It stops the reading.
func (f *rowsFile) Close() error {
	f.cancel()
	<-f.done
	f.pipe.drop()
	if f.next != nil {
		f.next.discard()
	}
	return nil
}

func storedOf(id string, runs []run, count int64, digest db.Digest) rows.Stored {
	stored := rows.Stored{Table: id, Rows: count, Digest: digest}
	for _, r := range runs {
		stored.Runs = append(stored.Runs, r.Run)
	}
	return stored
}

func marshal(document any) ([]byte, error) {
	if schema, ok := document.(*db.Schema); ok {
		return rows.MarshalSchema(schema)
	}
	return json.MarshalIndent(document, "", " ")
}

func newReader(content []byte) io.Reader { return bytes.NewReader(content) }

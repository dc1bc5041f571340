// Package rowdiff tells which rows two states of a database differ in, whatever the order is in
// which they come. Both states are read once; what is equal cancels out as it comes, and what is left
// waits in memory, or beyond a limit in files without a name. [First] finds the first rows that differ,
// and reads no further. [Script] writes what is missing as SQL.
package rowdiff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
)

// Options steer Compare. The zero value works.
type Options struct {
	// Aside is a directory in which rows wait that do not fit into memory. Empty: that of temporary
	// files.
	Aside string
	// Memory bounds the rows that wait, in bytes; 0 means 64 MiB.
	Memory int
	// Progress is told of each table that begins.
	Progress func(table string)
}

// Kind says in a letter how a row differs.
type Kind string

// What can differ.
const (
	Added   Kind = "+" // only the second state has it
	Removed Kind = "-" // only the first state has it
	Changed Kind = "M" // another row with the same key
)

// Change is a row, or several of the same content, that differ. Before is what the first state has,
// After what the second one has; the other is nil where there is none.
type Change struct {
	Kind          Kind
	Count         int64 // how many times the row is there; 1 where there is a key
	Before, After []database.Cell
}

// Table is what is compared: columns that both states have, with their types in the first, in its
// order.
type Table struct {
	*database.Table
	Key []string // by which rows are told apart; empty: by all columns
	// Differences says how the columns of the states differ; empty: they do not.
	Differences []string
}

// Result is what was found in a table.
type Result struct {
	Table                   string
	Only                    Kind // Added or Removed: the whole table is; else empty
	Rows                    int64
	Added, Removed, Changed int64
	Columns                 []string // how the columns differ
}

// Equal says that nothing differs.
func (r Result) Equal() bool {
	return r.Only == "" && r.Added+r.Removed+r.Changed == 0 && len(r.Columns) == 0
}

// Recorded is a source that knows how many rows a table has and their digest, without reading them.
type Recorded interface {
	// StoredRows gives both; false: they are not known.
	StoredRows(table string) (rows int64, digest database.Digest, ok bool)
}

// Compare tells each of what differs, table by table and parents first. Rows of tables that are
// recorded with the same digest, or that only one state has, are not read.
func Compare(ctx context.Context, before, after database.Source, o Options, each func(*Table, *Change) error) ([]Result, error) {
	first, second, err := schemas(ctx, before, after)
	if err != nil {
		return nil, err
	}
	c := &comparison{before: before, after: after, o: o, each: each, loose: first.Engine == database.SQLite}
	var out []Result
	for _, t := range convert.ParentsFirst(first.Tables) {
		result, err := c.table(ctx, t, second.FindAlike(first, t))
		if err != nil {
			return out, fmt.Errorf("compare table %s: %w", t.ID(), err)
		}
		out = append(out, result)
	}
	for _, t := range second.Tables {
		if first.FindAlike(second, t) == nil {
			out = append(out, Result{Table: t.ID(), Only: Added, Rows: t.EstimatedRows})
		}
	}
	return out, nil
}

// schemas are those of two states of a database, or databases of the same engine.
func schemas(ctx context.Context, before, after database.Source) (first, second *database.Schema, err error) {
	if first, err = before.Schema(ctx); err != nil {
		return nil, nil, fmt.Errorf("read the first schema: %w", err)
	}
	if second, err = after.Schema(ctx); err != nil {
		return nil, nil, fmt.Errorf("read the second schema: %w", err)
	}
	if database.Family(first.Engine) != database.Family(second.Engine) {
		return nil, nil, fmt.Errorf("%w: one is a database of %s, the other of %s: compare them by db verify", database.ErrRefused, first.Engine, second.Engine)
	}
	return first, second, nil
}

// comparison is one run of Compare, or of First.
type comparison struct {
	before, after database.Source
	o             Options
	each          func(*Table, *Change) error
	loose         bool // each value has a type of its own, and a column's kind is what was found in it
}

func (c *comparison) table(ctx context.Context, t, now *database.Table) (Result, error) {
	out := Result{Table: t.ID(), Rows: t.EstimatedRows}
	if now == nil {
		out.Only = Removed
		return out, nil
	}
	p := pairOf(t, now, c.loose)
	out.Columns = p.table.Differences
	if p.whole && c.sameRecord(t, now) {
		return out, nil
	}
	if c.o.Progress != nil {
		c.o.Progress(t.ID())
	}
	rows := newPending(p.table, c.o, func(change *Change) error {
		out.count(change)
		return c.each(p.table, change)
	})
	defer rows.close()
	if err := c.read(ctx, p, rows); err != nil {
		return out, err
	}
	return out, rows.finish()
}

func (r *Result) count(c *Change) {
	switch c.Kind {
	case Added:
		r.Added += c.Count
	case Removed:
		r.Removed += c.Count
	case Changed:
		r.Changed += c.Count
	}
}

// sameRecord says that both states recorded the same rows.
func (c *comparison) sameRecord(t, now *database.Table) bool {
	a, ok := c.before.(Recorded)
	b, also := c.after.(Recorded)
	if !ok || !also {
		return false
	}
	rows, digest, ok := a.StoredRows(t.ID())
	others, other, also := b.StoredRows(now.ID())
	return ok && also && rows == others && digest == other
}

// sink gets the rows of both states.
type sink interface {
	// take takes over a batch of rows, which count for the first state if count is 1, and for the
	// second if it is -1. passed says that the other state has no rows before these left.
	take(b *database.Batch, count int64, passed bool) error
}

// read reads both states at once, by turns, so that rows at the same place meet.
func (c *comparison) read(ctx context.Context, p *pair, to sink) error {
	g, ctx := errgroup.WithContext(ctx)
	first, second := make(chan *database.Batch, 4), make(chan *database.Batch, 4)
	g.Go(func() error { return feed(ctx, c.before, p.before, first) })
	g.Go(func() error { return feed(ctx, c.after, p.after, second) })
	g.Go(func() error {
		a, b := &stream{in: first, columns: len(p.before.Columns), places: p.first}, &stream{in: second, columns: len(p.after.Columns), places: p.second}
		for !a.ended || !b.ended {
			if err := errors.Join(a.next(ctx, to, 1, b.ended), b.next(ctx, to, -1, a.ended)); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

func feed(ctx context.Context, src database.Source, t *database.Table, to chan<- *database.Batch) error {
	err := src.Rows(ctx, t, func(b *database.Batch) error {
		select {
		case to <- b:
			return nil
		case <-ctx.Done():
			b.Release()
			return ctx.Err()
		}
	})
	if err == nil {
		close(to)
	}
	return err
}

// stream hands on the rows of a state.
type stream struct {
	in      <-chan *database.Batch
	columns int
	places  []int
	ended   bool
}

// next adds the next batch; each row counts so much.
func (s *stream) next(ctx context.Context, to sink, count int64, passed bool) error {
	if s.ended {
		return nil
	}
	b, err := s.pull(ctx)
	if errors.Is(err, io.EOF) {
		s.ended = true
		return nil
	}
	if err != nil {
		return err
	}
	if b, err = convert.Project(b, s.columns, s.places); err != nil {
		return err
	}
	return to.take(b, count, passed)
}

func (s *stream) pull(ctx context.Context) (*database.Batch, error) {
	select {
	case b, ok := <-s.in:
		if !ok {
			return nil, io.EOF
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pair is a table in both states, and where in each the common columns are.
type pair struct {
	table         *Table
	before, after *database.Table
	first, second []int
	whole         bool // the columns are the same, in the same order
}

func pairOf(t, now *database.Table, loose bool) *pair {
	common := *t
	common.Columns = nil
	p := &pair{table: &Table{Table: &common}, before: t, after: now}
	differ := func(format string, args ...any) {
		p.table.Differences = append(p.table.Differences, fmt.Sprintf(format, args...))
	}
	for i, c := range t.Columns {
		at := slices.IndexFunc(now.Columns, func(other *database.Column) bool { return other.Name == c.Name })
		if at < 0 {
			differ("column %s is only in the first", c.Name)
			continue
		}
		if other := now.Columns[at].Type; !loose && other.Kind != c.Type.Kind || other.Native != c.Type.Native {
			differ("column %s is %s in the first and %s in the second", c.Name, c.Type.Native, other.Native)
		}
		common.Columns = append(common.Columns, c)
		p.first, p.second = append(p.first, i), append(p.second, at)
	}
	for _, c := range now.Columns {
		if t.Column(c.Name) == nil {
			differ("column %s is only in the second", c.Name)
		}
	}
	p.whole = len(p.table.Differences) == 0 && slices.Equal(p.first, p.second)
	for _, name := range t.KeyOrder() {
		if common.Column(name) == nil {
			return p
		}
	}
	p.table.Key = t.KeyOrder()
	return p
}

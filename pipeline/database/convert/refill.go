package convert

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/pipeline/database"
)

// RefillOptions steer Refill. The zero value puts rows back.
type RefillOptions struct {
	// DryRun counts what would be put back, and changes nothing.
	DryRun bool
	// TrustCode lets triggers find names as the database's users do.
	TrustCode bool
	Progress  func(Progress)
}

// Refilled is what became of one table.
type Refilled struct {
	Table   string // its ID in the source
	Target  string // the ID of the living table
	Rows    int64  // of the source
	Put     int64  // rows that were put back, or would be
	Altered int64  // of these, rows that a trigger or a rule changed or left out
}

// There is how many rows the table has already.
func (r Refilled) There() int64 { return r.Rows - r.Put }

// Refill puts rows that a source has and the target's tables of the same names lack back into them,
// by their keys. Rows that are there stay as they are. All of it is done or nothing; each row is
// read back twice, once before it is put into its table and once in it. The caller closes the
// target.
func Refill(ctx context.Context, src database.Source, dst database.Target, opts RefillOptions) ([]Refilled, error) {
	refiller, ok := dst.(database.Refiller)
	if !ok {
		return nil, fmt.Errorf("%w: rows can be put back into tables of PostgreSQL, MySQL, MariaDB and SQLite only", database.ErrRefused)
	}
	schema, err := src.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	there, err := dst.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the target's schema: %w", err)
	}
	r := &refill{refiller: refiller, src: src, opts: opts, meter: newMeter(schema, opts.Progress)}
	if r.tables, err = pairTables(schema, there); err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// refill is one run of Refill.
type refill struct {
	refiller database.Refiller
	src      database.Source
	opts     RefillOptions
	meter    *meter
	tables   []*pair
}

func (r *refill) run(ctx context.Context) ([]Refilled, error) {
	for _, p := range r.tables {
		if err := r.stage(ctx, p); err != nil {
			return nil, fmt.Errorf("prepare rows of table %s: %w", p.source.ID(), err)
		}
	}
	r.meter.stage(Finishing)
	out := make([]Refilled, len(r.tables))
	for i, p := range r.tables {
		out[i] = Refilled{Table: p.source.ID(), Target: p.living.ID(), Rows: p.sum.Rows()}
		if err := r.put(ctx, p, &out[i]); err != nil {
			return nil, fmt.Errorf("put rows back into table %s: %w", p.living.ID(), err)
		}
	}
	if r.opts.DryRun {
		return out, nil
	}
	if err := r.refiller.Commit(ctx); err != nil {
		return nil, fmt.Errorf("commit the target: %w", err)
	}
	return out, nil
}

func (r *refill) put(ctx context.Context, p *pair, out *Refilled) (err error) {
	if r.opts.DryRun {
		out.Put, err = r.refiller.Missing(ctx, p.staged)
		return err
	}
	out.Put, out.Altered, err = r.refiller.PutBack(ctx, p.staged, r.opts.TrustCode)
	return err
}

// stage brings the rows of a table to the target, and compares them there.
func (r *refill) stage(ctx context.Context, p *pair) (err error) {
	if p.staged, err = r.refiller.Stage(ctx, p.living, p.columns); err != nil {
		return err
	}
	if err := r.fill(ctx, p); err != nil {
		return err
	}
	var sum database.Summer
	err = r.refiller.StagedRows(ctx, p.staged, func(b *database.Batch) error {
		defer b.Release()
		return sum.Add(b)
	})
	if err != nil {
		return fmt.Errorf("read them back: %w", err)
	}
	return sum.Differs(p.source.ID(), p.sum.Rows(), p.sum.Digest())
}

// fill lets the target pull what the source sends.
func (r *refill) fill(ctx context.Context, p *pair) error {
	batches := make(chan *database.Batch, 8)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		return r.src.Rows(ctx, p.source, func(b *database.Batch) error {
			r.meter.add(p.source.ID(), b)
			b, err := p.project(b)
			if err != nil {
				return err
			}
			select {
			case batches <- b:
				return nil
			case <-ctx.Done():
				b.Release()
				return ctx.Err()
			}
		})
	})
	g.Go(func() error {
		return r.refiller.Fill(ctx, p.staged, func() (*database.Batch, error) {
			select {
			case b, ok := <-batches:
				if ok {
					return b, nil
				}
				return nil, ended(ctx)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	})
	return g.Wait()
}

// ended tells the end of rows from a source that failed.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return io.EOF
}

// pair is a table of the source and the living one of its name.
type pair struct {
	source, living *database.Table
	columns        []*database.Column // of living
	loose          bool               // each value has a type of its own, and the source knows what there is
	places         []int              // of these, in source
	staged         *database.Staged
	sum            database.Summer
}

// project takes over a batch and returns one of the pair's columns, which it sums.
func (p *pair) project(in *database.Batch) (*database.Batch, error) {
	out, err := Project(in, len(p.source.Columns), p.places)
	if err != nil {
		return nil, err
	}
	return out, p.sum.Add(out)
}

// Project takes over a batch of rows with some number of columns and returns one with those at
// places, in that order.
func Project(in *database.Batch, columns int, places []int) (*database.Batch, error) {
	if isWhole(columns, places) {
		return in, nil
	}
	defer in.Release()
	out := database.NewBatch()
	cells := make([]database.Cell, columns)
	for i := range in.Len() {
		if err := in.Take(cells, i); err != nil {
			out.Release()
			return nil, err
		}
		for n, cell := range cells {
			if cell.Long != nil && !slices.Contains(places, n) {
				cell.Long.Close()
			}
		}
		for _, at := range places {
			out.Cell(cells[at])
		}
		out.EndRow()
	}
	return out, nil
}

// isWhole says that places are all columns in their order.
func isWhole(columns int, places []int) bool {
	for i, at := range places {
		if at != i {
			return false
		}
	}
	return len(places) == columns
}

// pairTables finds the living tables, parents first.
func pairTables(s, there *database.Schema) ([]*pair, error) {
	if database.Family(s.Engine) != database.Family(there.Engine) {
		return nil, fmt.Errorf("%w: rows of %s go back into tables of the same engine only, and this is %s: restore the table under another name with --as", database.ErrRefused, s.Engine, there.Engine)
	}
	var out []*pair
	for _, t := range ParentsFirst(s.Tables) {
		if t.Role != database.Data {
			continue
		}
		living := there.FindAlike(s, t)
		if living == nil {
			return nil, fmt.Errorf("%w: there is no table %s into which rows could be put back: restore it as a whole, without --into-existing", database.ErrRefused, t.ID())
		}
		p := &pair{source: t, living: living, loose: s.Engine == database.SQLite}
		if err := p.match(); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// match finds the columns that are filled, and refuses a table that has changed its form too much.
func (p *pair) match() error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: table %s %s: restore it under another name with --as", database.ErrRefused, p.living.ID(), fmt.Sprintf(format, args...))
	}
	for i, c := range p.source.Columns {
		if c.Generated != nil || c.Unread {
			continue
		}
		now := p.living.Column(c.Name)
		switch {
		case now == nil:
			return refuse("has no column %s any more", c.Name)
		case now.Generated != nil:
			return refuse("computes column %s now", c.Name)
		case p.retyped(c, now):
			return refuse("has another type of column %s now, %s instead of %s", c.Name, now.Type.Native, c.Type.Native)
		}
		if p.loose {
			as := *now
			as.Type = c.Type
			now = &as
		}
		p.columns, p.places = append(p.columns, now), append(p.places, i)
	}
	key := p.living.KeyOrder()
	if len(key) == 0 {
		return refuse("has no primary key, so that rows that are there cannot be told from those that are missing")
	}
	for _, name := range key {
		if !slices.ContainsFunc(p.columns, func(c *database.Column) bool { return c.Name == name }) {
			return refuse("has the column %s in its key (%s), which the snapshot does not have", name, strings.Join(key, ", "))
		}
	}
	return nil
}

// retyped says that a column takes other values now.
func (p *pair) retyped(c, now *database.Column) bool {
	if p.loose || now.Type.Kind == database.Array {
		return now.Type.Native != c.Type.Native
	}
	return now.Type.Kind != c.Type.Kind
}

// ParentsFirst orders tables so that none comes before one that it refers to, as far as there is
// such an order. Foreign keys that can wait for the end of a transaction do not count.
func ParentsFirst(tables []*database.Table) []*database.Table {
	var out []*database.Table
	seen := map[*database.Table]bool{}
	var visit func(t *database.Table)
	visit = func(t *database.Table) {
		if seen[t] {
			return
		}
		seen[t] = true
		for _, k := range t.ForeignKeys {
			for _, parent := range tables {
				if k.Deferrable == database.Immediate && parent.Name == k.RefTable && parent.Schema == k.RefSchema {
					visit(parent)
				}
			}
		}
		out = append(out, t)
	}
	for _, t := range tables {
		visit(t)
	}
	return out
}

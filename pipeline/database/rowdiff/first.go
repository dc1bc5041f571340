package rowdiff

import (
	"context"
	"errors"
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/rows"
)

// FirstOptions steer First.
type FirstOptions struct {
	// Rows is how many rows that differ are wanted.
	Rows int
	// Memory bounds the rows that wait, in bytes; 0 means 16 MiB.
	Memory int64
}

// Found is what First finds.
type Found[T any] struct {
	Table *Table // nil: there was nothing to read
	Rows  []T    // what was kept of the rows that differ
	Count Result // of these; of all rows unless More
	More  bool   // there are, or may be, other rows that differ
}

var (
	errEnough   = errors.New("enough rows differ")
	errTooMuch  = errors.New("too many rows wait")
	errDisorder = errors.New("the rows are not in the order of their key")
)

// First finds the first rows that differ in a table, and keeps of each what keep returns; the row
// itself is gone then. It reads no further than it must: not at all where the same rows are
// recorded, what the states share once at most (see [rows.Apart]), and nothing after the rows that
// are wanted. That holds if rows come in the order of their key. With other keys, and without one,
// a row is known to differ only when all were read; if more wait than may wait, First gives up, and
// says so by More.
//
// Rows with cells of more than 8 MiB come last. One that grew beyond that may pass for one that was
// removed, if the end was not read.
//
// If ctx ends before that, Found has what was certain by then.
func First[T any](ctx context.Context, before, after database.Source, t, now *database.Table, o FirstOptions, keep func(*Table, *Change) T) (*Found[T], error) {
	schema, _, err := schemas(ctx, before, after)
	if err != nil {
		return nil, err
	}
	c := &comparison{before: before, after: after, loose: schema.Engine == database.SQLite}
	p := pairOf(t, now, c.loose)
	found := &Found[T]{Count: Result{Table: t.ID(), Columns: p.table.Differences}}
	if p.whole && c.sameRecord(t, now) {
		return found, nil
	}
	for _, by := range []*order{orderOf(p.table, schema.Engine), nil} {
		found.Table, found.Rows, found.More = p.table, nil, false
		found.Count = Result{Table: t.ID(), Columns: p.table.Differences}
		f := newFinder(p.table, o, by, func(change *Change) error {
			if len(found.Rows) == o.Rows {
				return errEnough
			}
			found.Count.count(change)
			found.Rows = append(found.Rows, keep(p.table, change))
			return nil
		})
		if err = c.find(ctx, p, f); !errors.Is(err, errDisorder) {
			break
		}
	}
	if errors.Is(err, errEnough) || errors.Is(err, errTooMuch) {
		found.More = true
		return found, nil
	}
	if err != nil {
		found.More = true
		return found, fmt.Errorf("compare table %s: %w", t.ID(), err)
	}
	return found, nil
}

// find reads what differs, or all.
func (c *comparison) find(ctx context.Context, p *pair, f *finder) error {
	defer f.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shared, err := rows.Apart(ctx, c.before, c.after, p.before, p.after, func(b *database.Batch, count int64, passed bool) error {
		columns, places := len(p.before.Columns), p.first
		if count < 0 {
			columns, places = len(p.after.Columns), p.second
		}
		b, err := convert.Project(b, columns, places)
		if err != nil {
			return err
		}
		return f.take(b, count, passed)
	})
	if err == nil && !shared {
		err = c.read(ctx, p, f)
	}
	if err != nil {
		return err
	}
	return f.tell(f.sorted())
}

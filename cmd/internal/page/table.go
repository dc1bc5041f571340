package page

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
)

// table is a table of a database in a snapshot: its schema, and its first rows or those that differ
// from an earlier snapshot.
type table struct {
	stored
	Table   output.Name   `json:"table"`
	Comment output.Name   `json:"comment"`
	Rows    int64         `json:"rows"`
	Bytes   int64         `json:"bytes"`
	Columns []columnRow   `json:"columns,omitempty"`
	Keys    []keyRow      `json:"keys,omitempty"`
	Indexes []indexRow    `json:"indexes,omitempty"`
	Shown   []output.Name `json:"shown,omitempty"`  // the columns of the rows below
	Numbers []bool        `json:"-"`                // which of these have numbers
	Hidden  int           `json:"hidden"`           // columns that are not shown, of a wide table
	First   [][]cell      `json:"first,omitempty"`  // rows
	Change  *tableChange  `json:"change,omitempty"` // since the earlier snapshot
	Slow    bool          `json:"slow"`             // the time was up before all was read
}

// How much of a table a page shows.
const (
	firstRows    = 100
	columnsShown = 60
)

func (v *visit) table() (any, error) {
	here, err := v.stored()
	if err != nil {
		return nil, err
	}
	if here.at.Snapshot == nil {
		return nil, catalog.Misuse("there is no snapshot of a database")
	}
	release, err := v.turn()
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(v.r.Context(), databaseTime)
	defer cancel()
	is, err := v.openDatabase(ctx, here.at.Snapshot, string(here.Source))
	if err != nil {
		return nil, err
	}
	of := is.schema.Find(v.r.FormValue("table"))
	if of == nil {
		return nil, catalog.Misuse("snapshot %s has no table %s in %s", here.Short, output.Name(v.r.FormValue("table")), here.Source)
	}
	t := &table{stored: *here, Table: output.Name(of.ID()), Comment: output.Name(of.Comment), Rows: of.EstimatedRows, Bytes: of.EstimatedBytes}
	t.describe(of)
	if here.was == nil {
		err = t.readFirst(ctx, is, of)
	} else {
		err = t.compare(ctx, v, is, of)
	}
	if errors.Is(err, context.DeadlineExceeded) && v.r.Context().Err() == nil {
		t.Slow, err = true, nil
	}
	return t, err
}

// readFirst reads the first rows.
func (t *table) readFirst(ctx context.Context, is *openDatabase, of *database.Table) error {
	columns := t.show(of.Columns)
	cells := make([]database.Cell, len(of.Columns))
	t.First = [][]cell{}
	err := is.Rows(ctx, of, func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			row := make([]cell, len(columns))
			for i, c := range columns {
				row[i] = shownCell(cells[i], c.Type.Kind)
			}
			if t.First = append(t.First, row); len(t.First) == firstRows {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// More reports whether there are more rows than the first that are shown.
func (t *table) More() bool { return t.Rows > int64(len(t.First)) }

// show notes which columns rows are shown with, and returns them.
func (t *table) show(columns []*database.Column) []*database.Column {
	t.Hidden = max(0, len(columns)-columnsShown)
	columns = columns[:len(columns)-t.Hidden]
	for _, c := range columns {
		kind := c.Type.Kind
		t.Shown = append(t.Shown, output.Name(c.Name))
		t.Numbers = append(t.Numbers, kind == database.Int || kind == database.Float || kind == database.Decimal)
	}
	return columns
}

// byID sorts tables by their names.
func byID(all []*database.Table) []*database.Table {
	slices.SortStableFunc(all, func(a, b *database.Table) int { return cmp.Compare(a.ID(), b.ID()) })
	return all
}

package page

import (
	"context"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/rowdiff"
)

// tableChange is how the rows of a table differ from those in an earlier snapshot.
type tableChange struct {
	New     bool          `json:"new"`   // the earlier snapshot does not have the table
	Added   int64         `json:"added"` // rows
	Removed int64         `json:"removed"`
	Changed int64         `json:"changed"`
	Columns []output.Name `json:"columns,omitempty"` // how the columns differ
	Rows    []rowChange   `json:"rows,omitempty"`    // the first that differ
}

// rowChange is a row that differs.
type rowChange struct {
	Word  string       `json:"word"`  // added, removed or changed
	Count int64        `json:"count"` // how many times the row is there, in a table without a key
	Cells []cellChange `json:"cells,omitempty"`
}

// cellChange is a value before and after.
type cellChange struct {
	Was     *cell `json:"was,omitempty"`
	Is      *cell `json:"is,omitempty"`
	Differs bool  `json:"differs"` // within a row that has changed
}

// compareMemory bounds the rows that wait to be told in pairs. More wait in files.
const compareMemory = 16 << 20

// rowWords say what has become of a row.
var rowWords = map[rowdiff.Kind]string{rowdiff.Added: "added", rowdiff.Removed: "removed", rowdiff.Changed: "changed"}

// compare finds the rows that differ from those in the earlier snapshot.
func (t *table) compare(ctx context.Context, v *visit, is *openDatabase, of *database.Table) error {
	t.Change = &tableChange{Rows: []rowChange{}}
	was, err := v.openDatabase(ctx, t.was, string(t.Source))
	if err != nil {
		return err
	}
	old := was.schema.FindAlike(is.schema, of)
	if old == nil {
		t.Change.New = true
		return t.readFirst(ctx, is, of)
	}
	var columns []*database.Column
	results, err := rowdiff.Compare(ctx, was.only(old), is.only(of), rowdiff.Options{Aside: v.Aside(), Memory: compareMemory}, func(common *rowdiff.Table, c *rowdiff.Change) error {
		if columns == nil {
			columns = t.show(common.Columns)
		}
		t.Change.add(columns, c)
		return ctx.Err()
	})
	for _, r := range results {
		t.Change.Columns = output.Names(r.Columns)
	}
	return err
}

// only returns the database as if it had one table.
func (o *openDatabase) only(t *database.Table) *openDatabase {
	schema := *o.schema
	schema.Tables = []*database.Table{t}
	return &openDatabase{o.Source, &schema}
}

// Schema implements database.Source.
func (o *openDatabase) Schema(context.Context) (*database.Schema, error) { return o.schema, nil }

// add counts a row that differs, and notes it while there are few.
func (c *tableChange) add(columns []*database.Column, change *rowdiff.Change) {
	switch change.Kind {
	case rowdiff.Added:
		c.Added += change.Count
	case rowdiff.Removed:
		c.Removed += change.Count
	case rowdiff.Changed:
		c.Changed += change.Count
	}
	if len(c.Rows) == firstRows {
		return
	}
	r := rowChange{Word: rowWords[change.Kind], Count: change.Count}
	for i, column := range columns {
		var both cellChange
		if change.Before != nil {
			was := shownCell(change.Before[i], column.Type.Kind)
			both.Was = &was
		}
		if change.After != nil {
			is := shownCell(change.After[i], column.Type.Kind)
			both.Is = &is
		}
		both.Differs = both.Was != nil && both.Is != nil && !sameCell(change.Before[i], change.After[i])
		r.Cells = append(r.Cells, both)
	}
	c.Rows = append(c.Rows, r)
}

// TooMany reports whether there are more rows than are shown.
func (c *tableChange) TooMany() bool {
	shown := int64(0)
	for _, r := range c.Rows {
		shown += r.Count
	}
	return c.Added+c.Removed+c.Changed > shown
}

// Equal reports whether nothing differs.
func (c *tableChange) Equal() bool {
	return !c.New && c.Added+c.Removed+c.Changed == 0 && len(c.Columns) == 0
}

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
	Added   int64         `json:"added"` // rows; if there are more, of those that are shown
	Removed int64         `json:"removed"`
	Changed int64         `json:"changed"`
	More    bool          `json:"more"`              // there are, or may be, other rows that differ
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

// compareMemory bounds the rows of which it is not certain yet whether they differ.
const compareMemory = 16 << 20

// rowWords say what has become of a row.
var rowWords = map[rowdiff.Kind]string{rowdiff.Added: "added", rowdiff.Removed: "removed", rowdiff.Changed: "changed"}

// compare finds the first rows that differ from those in the earlier snapshot.
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
	found, err := rowdiff.First(ctx, was.Source, is.Source, old, of, rowdiff.FirstOptions{Rows: firstRows, Memory: compareMemory}, changeOf)
	if found == nil {
		return err
	}
	if len(found.Rows) > 0 {
		t.show(found.Table.Columns)
	}
	c := found.Count
	t.Change = &tableChange{Added: c.Added, Removed: c.Removed, Changed: c.Changed, More: found.More, Columns: output.Names(c.Columns), Rows: found.Rows}
	return err
}

// changeOf is what is shown of a row that differs.
func changeOf(of *rowdiff.Table, change *rowdiff.Change) rowChange {
	r := rowChange{Word: rowWords[change.Kind], Count: change.Count}
	for i, column := range of.Columns[:min(len(of.Columns), columnsShown)] {
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
	return r
}

// Equal reports whether nothing differs.
func (c *tableChange) Equal() bool {
	return !c.New && !c.More && len(c.Rows) == 0 && len(c.Columns) == 0
}

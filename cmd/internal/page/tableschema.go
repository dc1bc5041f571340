package page

import (
	"slices"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/database"
)

// columnRow is a column of a table.
type columnRow struct {
	Name      output.Name `json:"name"`
	Type      output.Name `json:"type"` // in the words of its engine
	NotNull   bool        `json:"not_null"`
	Key       bool        `json:"key"`       // it is part of the primary key
	Default   output.Name `json:"default"`   // an expression
	Generated output.Name `json:"generated"` // the same, of a column that is computed
	Counts    bool        `json:"counts"`    // by itself: serial, identity, auto_increment
	Comment   output.Name `json:"comment"`
}

// keyRow is a key of a table, or a condition on its rows.
type keyRow struct {
	Kind       string        `json:"kind"` // primary key, unique, foreign key or check
	Name       output.Name   `json:"name"`
	Columns    []output.Name `json:"columns,omitempty"`
	Refers     output.Name   `json:"refers"` // of a foreign key, the table
	RefersTo   []output.Name `json:"refers_to,omitempty"`
	Expression output.Name   `json:"expression"` // of a check
}

// indexRow is an index that no key implies.
type indexRow struct {
	Name   output.Name   `json:"name"`
	Unique bool          `json:"unique"`
	Parts  []output.Name `json:"parts,omitempty"` // columns and expressions
	Where  output.Name   `json:"where"`
	Method output.Name   `json:"method"` // where it is not the usual one
}

// describe notes the schema of a table.
func (t *table) describe(of *database.Table) {
	for _, c := range of.Columns {
		t.Columns = append(t.Columns, shownColumn(c, of.PrimaryKey))
	}
	if k := of.PrimaryKey; k != nil {
		t.Keys = append(t.Keys, keyRow{Kind: "primary key", Name: output.Name(k.Name), Columns: output.Names(k.Columns)})
	}
	for _, k := range of.Uniques {
		t.Keys = append(t.Keys, keyRow{Kind: "unique", Name: output.Name(k.Name), Columns: output.Names(k.Columns)})
	}
	for _, k := range of.ForeignKeys {
		t.Keys = append(t.Keys, keyRow{
			Kind: "foreign key", Name: output.Name(k.Name), Columns: output.Names(k.Columns),
			Refers: output.Name(database.JoinName(k.RefSchema, k.RefTable)), RefersTo: output.Names(k.RefColumns),
		})
	}
	for _, c := range of.Checks {
		t.Keys = append(t.Keys, keyRow{Kind: "check", Name: output.Name(c.Name), Expression: output.Name(c.Expr.SQL)})
	}
	for _, i := range of.Indexes {
		t.Indexes = append(t.Indexes, shownIndex(i))
	}
}

func shownColumn(c *database.Column, primary *database.Key) columnRow {
	r := columnRow{Name: output.Name(c.Name), Type: output.Name(c.Type.Native), NotNull: c.NotNull, Counts: c.Identity != nil, Comment: output.Name(c.Comment)}
	if r.Type == "" {
		r.Type = output.Name(c.Type.Kind)
	}
	r.Key = primary != nil && slices.Contains(primary.Columns, c.Name)
	if c.Default != nil {
		r.Default = output.Name(c.Default.SQL)
	}
	if c.Generated != nil {
		r.Generated = output.Name(c.Generated.Expr.SQL)
	}
	return r
}

func shownIndex(i *database.Index) indexRow {
	r := indexRow{Name: output.Name(i.Name), Unique: i.Unique, Method: output.Name(i.Method)}
	for _, p := range i.Parts {
		part := p.Column
		if p.Expr != nil {
			part = "(" + p.Expr.SQL + ")"
		}
		if p.Desc {
			part += " descending"
		}
		r.Parts = append(r.Parts, output.Name(part))
	}
	if i.Where != nil {
		r.Where = output.Name(i.Where.SQL)
	}
	return r
}

// Package databasetest holds the suite that every engine passes, and a source
// of rows in memory for it.
package databasetest

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// Source is a database in memory.
type Source struct {
	Model *database.Schema
	Data  map[string][][]database.Cell // by table ID
	// FailAfter makes Rows fail after this many rows of a table; 0: never.
	FailAfter int
}

// ErrBroken is what a Source with FailAfter fails with.
var ErrBroken = errors.New("the source broke")

// Schema gives the model.
func (s *Source) Schema(context.Context) (*database.Schema, error) { return s.Model, nil }

// Sequences gives the model's.
func (s *Source) Sequences(context.Context) ([]*database.Sequence, error) {
	return s.Model.Sequences, nil
}

// Close does nothing.
func (s *Source) Close() error { return nil }

// Rows sends a table in several batches.
func (s *Source) Rows(_ context.Context, t *database.Table, send func(*database.Batch) error) error {
	b := database.NewBatch()
	for i, row := range s.Data[t.ID()] {
		if s.FailAfter > 0 && i == s.FailAfter {
			return errors.Join(send(b), ErrBroken)
		}
		for _, c := range row {
			b.Cell(c)
		}
		b.EndRow()
		if b.Full() || b.Len() == 3 {
			if err := send(b); err != nil {
				return err
			}
			b = database.NewBatch()
		}
	}
	return send(b)
}

// Cells of each class, for tables of test rows.
var Null = database.Cell{}

// Int makes an int cell.
func Int(v int64) database.Cell { return database.Cell{Class: database.ClassInt, Int: v} }

// Float makes a float cell.
func Float(v float64) database.Cell { return database.Cell{Class: database.ClassFloat, Float: v} }

// Text makes a text cell.
func Text(v string) database.Cell {
	return database.Cell{Class: database.ClassText, Bytes: []byte(v)}
}

// Blob makes a blob cell.
func Blob(v string) database.Cell {
	return database.Cell{Class: database.ClassBlob, Bytes: []byte(v)}
}

// column is a column of the values matrix: a type and values of it that every
// engine can hold.
type column struct {
	name   string
	typ    database.Type
	values []database.Cell
}

func digits(n int) *int { return &n }

// matrix lists types with values at their edges.
func matrix() []column {
	long := make([]byte, 70000)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	return []column{
		{"flag", database.Type{Kind: database.Bool}, []database.Cell{Int(0), Int(1), Null}},
		{"tiny", database.Type{Kind: database.Int, Bits: 8}, []database.Cell{Int(-128), Int(127), Int(0)}},
		{"small", database.Type{Kind: database.Int, Bits: 16}, []database.Cell{Int(math.MinInt16), Int(math.MaxInt16), Null}},
		{"medium", database.Type{Kind: database.Int, Bits: 32}, []database.Cell{Int(math.MinInt32), Int(math.MaxInt32), Null}},
		{"large", database.Type{Kind: database.Int, Bits: 64}, []database.Cell{Int(math.MinInt64), Int(math.MaxInt64), Int(9007199254740993)}},
		{"positive", database.Type{Kind: database.Int, Bits: 32, Unsigned: true}, []database.Cell{Int(0), Int(math.MaxUint32), Null}},
		{"huge", database.Type{Kind: database.Int, Bits: 64, Unsigned: true}, []database.Cell{Int(0), Text("18446744073709551615"), Int(math.MaxInt64)}},
		{"price", database.Type{Kind: database.Decimal, Precision: 10, Scale: 2}, []database.Cell{Text("99999999.99"), Text("-0.10"), Text("0.00")}},
		{"exact", database.Type{Kind: database.Decimal, Precision: 38, Scale: 10}, []database.Cell{Text("-1234567890123456789012345678.1234567890"), Text("0.0000000001"), Null}},
		{"single", database.Type{Kind: database.Float, Bits: 32}, []database.Cell{Float(float64(math.MaxFloat32)), Float(float64(float32(0.1))), Float(-1.5)}},
		{"double", database.Type{Kind: database.Float, Bits: 64}, []database.Cell{Float(math.MaxFloat64), Float(0.1), Float(1e-300)}},
		{"word", database.Type{Kind: database.Text, Length: 40}, []database.Cell{Text("O'Brien \\ \"x\" \t\n\r%_"), Text(" padded"), Text("007")}},
		{"body", database.Type{Kind: database.Text}, []database.Cell{Text("漢字 😀 é"), {Class: database.ClassText, Bytes: long}, Text("1e5")}},
		{"raw", database.Type{Kind: database.Bytes}, []database.Cell{Blob("\x00\xff\\'\n"), Null, Blob("x")}},
		{"day", database.Type{Kind: database.Date}, []database.Cell{Text("2024-02-29"), Text("1000-01-01"), Text("9999-12-31")}},
		{"stamp", database.Type{Kind: database.Timestamp, Fraction: digits(6)}, []database.Cell{Text("2026-11-22 01:02:03.000004"), Text("1970-01-01 00:00:00"), Text("1999-12-31 23:59:59.5")}},
		{"moment", database.Type{Kind: database.TimestampTZ, Fraction: digits(6)}, []database.Cell{Text("2026-11-22 01:02:03.000004+00:00"), Text("1999-12-31 23:59:59+00:00"), Null}},
		{"key", database.Type{Kind: database.UUID}, []database.Cell{Text("1e500000-0000-4000-8000-000000000000"), Text("ffffffff-ffff-ffff-ffff-ffffffffffff"), Null}},
		{"doc", database.Type{Kind: database.JSON}, []database.Cell{Text(`{"b": 1, "a": [1.5, null]}`), Text(`"x"`), Text("null")}},
		{"choice", database.Type{Kind: database.Enum, Values: []string{"low", "it's", "1"}}, []database.Cell{Text("it's"), Text("1"), Null}},
	}
}

// valuesSource is a table with a row per index of the matrix's values, and a
// row of nulls.
func valuesSource() *Source {
	t := &database.Table{Name: "values_of_types", PrimaryKey: &database.Key{Columns: []string{"id"}}, Order: []string{"id"}}
	t.Columns = append(t.Columns, &database.Column{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64}})
	columns := matrix()
	for _, c := range columns {
		t.Columns = append(t.Columns, &database.Column{Name: c.name, Type: c.typ})
	}
	rows := make([][]database.Cell, 4)
	for i := range rows {
		rows[i] = append(rows[i], Int(int64(i-1)))
		for _, c := range columns {
			cell := Null
			if i < len(c.values) {
				cell = c.values[i]
			}
			rows[i] = append(rows[i], cell)
		}
	}
	return &Source{
		Model: &database.Schema{Engine: "memory", Tables: []*database.Table{t}},
		Data:  map[string][][]database.Cell{t.ID(): rows},
	}
}

// shopSource is a small schema with every kind of constraint.
func shopSource() *Source {
	integer := database.Type{Kind: database.Int, Bits: 64}
	name := database.Type{Kind: database.Text, Length: 30}
	expr := func(sql string) database.Expr { return database.Expr{Engine: database.Postgres, SQL: sql} }
	customer := &database.Table{
		Name: "customer", Order: []string{"id"}, PrimaryKey: &database.Key{Name: "customer_pk", Columns: []string{"id"}},
		Columns: []*database.Column{
			{Name: "id", Type: integer, NotNull: true, Identity: &database.Identity{Sequence: "customer_id_seq"}},
			{Name: "email", Type: name, NotNull: true},
			{Name: "age", Type: integer, Default: &database.Expr{Engine: database.Postgres, SQL: "18"}},
			{Name: "best", Type: integer},
		},
		Uniques: []*database.Key{{Name: "customer_email", Columns: []string{"email"}}},
		Checks:  []*database.Check{{Name: "customer_age", Expr: expr("(age >= 0) AND (age < 200)")}},
		Indexes: []*database.Index{{Name: "customer_by_age", Parts: []database.IndexPart{{Column: "age", Desc: true}, {Column: "email"}}}},
		ForeignKeys: []*database.ForeignKey{{
			Name: "customer_best", Columns: []string{"best"}, RefTable: "order", RefColumns: []string{"number"}, OnDelete: database.SetNull,
		}},
	}
	order := &database.Table{
		Name: "order", Order: []string{"number"}, PrimaryKey: &database.Key{Name: "order_pk", Columns: []string{"number"}},
		Columns: []*database.Column{
			{Name: "number", Type: integer, NotNull: true},
			{Name: "customer", Type: integer, NotNull: true},
			{Name: "Group", Type: name},
		},
		ForeignKeys: []*database.ForeignKey{{
			Name: "order_customer", Columns: []string{"customer"}, RefTable: "customer", RefColumns: []string{"id"}, OnDelete: database.Cascade,
		}},
	}
	return &Source{
		Model: &database.Schema{
			Engine: "memory", Tables: []*database.Table{customer, order},
			Sequences: []*database.Sequence{{
				Name: "customer_id_seq", Start: 1, Increment: 1, Min: 1, Max: math.MaxInt64, Last: 41, Called: true,
				OwnerTable: "customer", OwnerColumn: "id",
			}},
		},
		Data: map[string][][]database.Cell{
			"customer": {
				{Int(1), Text("a@x"), Int(30), Int(100)}, {Int(2), Text("b@x"), Null, Null},
				{Int(3), Text("c@x"), Int(31), Null}, {Int(4), Text("d@x"), Int(32), Null}, {Int(40), Text("e@x"), Int(33), Null},
			},
			"order": {{Int(100), Int(1), Text("g")}, {Int(101), Int(2), Null}},
		},
	}
}

// awkwardSource has names that need quotes, empty tables, and rows without key.
func awkwardSource() *Source {
	integer := database.Type{Kind: database.Int, Bits: 32}
	text := database.Type{Kind: database.Text}
	table := func(name string, columns ...string) *database.Table {
		t := &database.Table{Name: name}
		for _, c := range columns {
			t.Columns = append(t.Columns, &database.Column{Name: c, Type: integer})
		}
		return t
	}
	tables := []*database.Table{
		table("Select", "group", "order by", "ünï", "a`b", `q"d`, "per%cent", "dot.ted"),
		table("empty one", "a"),
		{Name: "twice", Columns: []*database.Column{{Name: "a", Type: integer}, {Name: "b", Type: text}}},
	}
	slices.SortFunc(tables, func(a, b *database.Table) int { return int(a.Name[0]) - int(b.Name[0]) })
	return &Source{
		Model: &database.Schema{Engine: "memory", Tables: tables},
		Data: map[string][][]database.Cell{
			"Select": {{Int(1), Int(2), Int(3), Int(4), Int(5), Int(6), Int(7)}},
			"twice":  {{Int(1), Text("x")}, {Int(1), Text("x")}, {Null, Null}, {Int(2), Text("")}},
		},
	}
}

package sqlite

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// layout is what a plan becomes in the file.
type layout struct {
	native bool
	tables []*tableLayout // in the plan's order
	late   []lateObject   // indexes, and natively views and triggers
}

// tableLayout is one table of the file.
type tableLayout struct {
	planned *database.PlannedTable
	name    string
	create  string
	columns []columnLayout
	rowid   bool   // false: WITHOUT ROWID
	key     int    // the column that is the row's number; -1: none
	paged   bool   // some of its rows were written page by page
	root    uint32 // its page
	counter *database.Sequence
	checks  []checkLayout
	foreign []*database.ForeignKey // the source's keys that the table has, in its order
}

type columnLayout struct {
	name      string
	enc       encoding
	generated bool
	long      bool // its cells may be long ones
	notNull   bool
	affinity  string
}

// mayBeLong says that values of a type have no small limit and are stored as they are.
func mayBeLong(t database.Type, enc encoding) bool {
	switch t.Kind {
	case database.Text, database.Bytes, database.JSON, database.Geometry, database.Array, database.Other, database.Any:
		return enc == plain
	}
	return false
}

// checkLayout is a CHECK clause as it stands in create, to be tried on the rows.
type checkLayout struct {
	id     database.ObjectID
	sql    string
	clause string
}

type lateObject struct {
	id  database.ObjectID
	sql string
}

// portable plans the file that an export makes.
func portable(s *database.Schema) *database.Plan {
	return layOut(s, dialect(s.Engine).Map(s, database.PlanOptions{}))
}

// layOut plans a file, or tables of one, as they were mapped.
func layOut(s *database.Schema, made *ddl.Mapping) *database.Plan {
	l := &layout{}
	for _, d := range made.Drafts {
		l.tables = append(l.tables, portableTable(s, d))
	}
	for _, one := range made.Steps.After {
		l.late = append(l.late, lateObject{id: one.Object, sql: one.SQL})
	}
	for _, o := range s.Objects {
		if s.Engine == database.SQLite && o.Kind == pragmaKind && fits(o) == nil {
			l.late = append(l.late, lateObject{id: o.ObjectID, sql: o.DDL[0]})
			made.Plan.Findings = append(made.Plan.Findings, database.Finding{Object: o.ObjectID, Status: database.Exact})
		}
	}
	made.Plan.Detail = l
	return made.Plan
}

func portableTable(s *database.Schema, d *ddl.Draft) *tableLayout {
	out := &tableLayout{planned: d.PlannedTable, name: d.Target.Name, create: d.Create, rowid: true, key: -1, foreign: d.Foreign}
	key := rowKeyColumn(d.Source, s.Engine == database.SQLite)
	for i, c := range d.Target.Columns {
		decl, enc := declare(d.Source.Columns[i].Type)
		out.columns = append(out.columns, columnLayout{
			name: c.Name, enc: enc, generated: c.Generated != nil, long: c.Generated == nil && mayBeLong(c.Type, enc),
			notNull: c.NotNull || d.Source.Columns[i].NotNull, affinity: affinityOf(decl),
		})
		if d.Source.Columns[i] == key {
			out.key = i
		}
		if c.Identity != nil {
			out.counter = s.Sequence(c.Identity.Sequence)
		}
	}
	for _, k := range d.Checks {
		out.checks = append(out.checks, checkLayout{id: k.Object, sql: k.Condition, clause: ",\n    " + k.SQL})
	}
	return out
}

// dialect is how SQLite spells what comes from an engine.
func dialect(source string) *ddl.Dialect {
	relations := []ddl.Space{{Name: "relation"}}
	return &ddl.Dialect{
		Engine: database.SQLite,
		Names:  ddl.NameRules{Fold: lower, Reserved: []string{"sqlite_", reservedPrefix}, Kept: rowidNames, Empty: true, Blank: true},
		Spaces: ddl.Spaces{Tables: relations, Indexes: relations},
		Inline: true, InlineForeign: true,
		Columnless: true, Filler: quote(reservedPrefix+"row") + " INTEGER PRIMARY KEY",
		Uniques: ddl.AsIndex, Refers: ddl.ToIndexes,
		Deferral: true, Lenient: true,
		Counters: ddl.CountsRow, StepOne: true,
		Filtered: true, Expressions: true, ComputedNotNull: true,
		Type:       func(a ddl.Asked) ddl.Mapped { return mapType(a, source) },
		Now:        nowSQL,
		Literal:    literalSQL,
		Comparable: func(from database.Type, _ ddl.Mapped) bool { return comparable(from) },
		Computes:   func(from database.Type, _ ddl.Mapped) bool { return sameEverywhere(from) },
		Identity:   countsUp,
		Generated:  generated,
	}
}

// lower folds names as SQLite does.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// mapType declares a column, and says where its values are kept but mean less.
func mapType(a ddl.Asked, source string) ddl.Mapped {
	t := a.Column.Type
	decl, enc := declare(t)
	m := ddl.Mapped{SQL: decl, Type: t}
	if a.Column == rowKeyColumn(a.Table, source == database.SQLite) {
		m.SQL, m.Key = "INTEGER PRIMARY KEY", true
	}
	switch {
	case t.Kind == database.Decimal && enc == plain:
		m.Code, m.Lost = database.CodeComparesOther, "numbers wider than 15 digits are text: kept exactly, compared as text"
	case enc == uint64Text:
		m.Code, m.Lost = database.CodeComparesOther, "unsigned 64-bit numbers are text: kept exactly, compared as text"
	case t.Kind == database.Text && t.NoCase:
		m.Code, m.Lost = database.CodeComparesOther, "equality ignores the case of ASCII letters only"
	case t.Kind == database.Array || t.Kind == database.Other || t.Kind == database.Set || t.Kind == database.Geometry:
		m.Code, m.Lost = database.CodeSpelling, "the type "+t.Native+" is kept in the source's own spelling"
	}
	return m
}

// rowKeyColumn is the primary key where it can be the rowid. In SQLite's own tables a key of
// another type than INTEGER may hold nulls.
func rowKeyColumn(t *database.Table, native bool) *database.Column {
	if t.PrimaryKey == nil || len(t.PrimaryKey.Columns) != 1 {
		return nil
	}
	c := t.Column(t.PrimaryKey.Columns[0])
	if c == nil || c.Type.Kind != database.Int || c.Generated != nil || c.Identity == nil && native && !c.NotNull {
		return nil
	}
	if _, enc := declare(c.Type); enc != plain {
		return nil
	}
	return c
}

func countsUp(q *database.Sequence, _ bool) string {
	if q == nil {
		return ""
	}
	return " AUTOINCREMENT"
}

// generated writes an expression where SQLite computes the very same.
func generated(to ddl.Mapped, expr string, stored bool) string {
	switch {
	case strings.Contains(expr, "lower(") || strings.Contains(expr, "upper("):
		return ""
	case stored:
		return to.SQL + " GENERATED ALWAYS AS (" + expr + ") STORED"
	}
	return to.SQL + " GENERATED ALWAYS AS (" + expr + ") VIRTUAL"
}

// sameEverywhere types compute alike in SQLite.
func sameEverywhere(t database.Type) bool {
	return t.Kind == database.Int && !(t.Unsigned && t.Bits == 64) || t.Kind == database.Text && !t.NoCase && !t.Fixed
}

// comparable types compare alike in SQLite, as they are stored there.
func comparable(t database.Type) bool {
	_, enc := declare(t)
	switch t.Kind {
	case database.Int, database.Bool, database.Float, database.Text, database.Enum, database.UUID, database.Year, database.Date:
		return enc != uint64Text
	case database.Decimal:
		return enc != plain
	}
	return false
}

func literalSQL(c database.Cell, to ddl.Mapped) (string, bool) {
	t := to.Type
	_, enc := declare(t)
	if t.Kind == database.Bytes || t.Kind == database.Interval {
		return "", false
	}
	switch c.Class {
	case database.ClassNull:
		return "NULL", true
	case database.ClassInt:
		return fmt.Sprint(c.Int), true
	}
	if _, decimal := enc.scale(); decimal || t.Kind == database.Float || t.Kind == database.Int {
		return "(" + text(string(c.Bytes)) + " + 0)", true
	}
	return text(string(c.Bytes)), true
}

func nowSQL(to ddl.Mapped) (string, bool) {
	return "CURRENT_TIMESTAMP", to.Type.Kind == database.Timestamp || to.Type.Kind == database.TimestampTZ
}

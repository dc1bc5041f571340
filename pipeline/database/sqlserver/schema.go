package sqlserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// namespace is the schema whose tables need no qualifier.
const namespace = "dbo"

// schema describes the catalog in the seam's words, its tables' objects
// included.
func (c *catalog) schema(filter database.Filter) *database.Schema {
	s := &database.Schema{
		Engine: database.SQLServer, Version: c.server.version, Namespace: namespace,
		Settings: map[string]string{"collation": c.server.collation},
	}
	var skipped []*database.Object
	for _, t := range c.tables {
		switch {
		case !filter.Takes(namespace, t.schema, t.name):
		case t.external != "":
			o := object("table", t.schema, "", t.name, database.AtEnd)
			o.Lost = t.external
			skipped = append(skipped, o)
		default:
			s.Tables = append(s.Tables, t.neutral())
			s.Findings = append(s.Findings, t.findings(c.apart)...)
		}
	}
	c.addSequences(s)
	for _, name := range c.schemas {
		s.Objects = append(s.Objects, object("schema", "", "", name, database.BeforeTables, "CREATE SCHEMA "+quote(name)))
	}
	s.Objects = append(s.Objects, slices.DeleteFunc(ddl.Objects(c.dialect().Spell(s)), func(o *database.Object) bool { return o.Kind == "schema" })...)
	for _, t := range c.tables {
		if s.Find(t.schema+"."+t.name) != nil {
			s.Objects = append(s.Objects, t.extraObjects()...)
		}
	}
	s.Objects = append(s.Objects, skipped...)
	return s
}

func object(kind, schema, table, name string, phase database.Phase, ddl ...string) *database.Object {
	return &database.Object{ObjectID: database.ObjectID{Kind: kind, Schema: schema, Table: table, Name: name}, Phase: phase, DDL: ddl}
}

func expr(sql string) database.Expr { return database.Expr{Engine: database.SQLServer, SQL: sql} }

func (t *table) neutral() *database.Table {
	out := &database.Table{Schema: t.schema, Name: t.name, Comment: t.comment, EstimatedRows: t.rows}
	for _, col := range t.columns {
		out.Columns = append(out.Columns, t.neutralColumn(col))
	}
	for _, x := range t.indexes {
		t.addKey(out, x)
	}
	for _, k := range t.checks {
		if !k.disabled && k.definition != "" && !t.blind(k.definition) {
			out.Checks = append(out.Checks, &database.Check{Name: k.name, Expr: expr(k.definition), NotValid: k.untrusted})
		}
	}
	for _, f := range t.foreign {
		if !f.disabled {
			out.ForeignKeys = append(out.ForeignKeys, &database.ForeignKey{
				Name: f.name, Columns: f.columns, RefSchema: f.refSchema, RefTable: f.refTable, RefColumns: f.refColumns,
				OnDelete: f.onDelete, OnUpdate: f.onUpdate, NotValid: f.untrusted,
			})
		}
	}
	out.Order = out.KeyOrder()
	return out
}

// blind says that an expression is over a column that cannot be read. The server
// puts names in brackets.
func (t *table) blind(expression string) bool {
	return slices.ContainsFunc(t.unreadable, func(c *column) bool { return strings.Contains(expression, quote(c.name)) })
}

// known says that every column of an index is copied.
func (t *table) known(x *index) bool {
	missing := func(name string) bool { return t.column(name) == nil }
	return !t.blind(x.filter) && !slices.ContainsFunc(x.include, missing) && !slices.ContainsFunc(x.parts, func(p database.IndexPart) bool { return t.column(p.Column) == nil })
}

// addKey files an index as primary key, unique key or index. What the neutral
// model has no word for is an extra object.
func (t *table) addKey(out *database.Table, x *index) {
	if !t.portable(x) {
		return
	}
	key := &database.Key{Name: x.name}
	for _, p := range x.parts {
		key.Columns = append(key.Columns, p.Column)
	}
	nulls := slices.ContainsFunc(key.Columns, func(name string) bool { return t.column(name).nullable })
	switch {
	case x.primary:
		out.PrimaryKey = key
	case x.constraint:
		key.NullsNotDistinct = nulls
		out.Uniques = append(out.Uniques, key)
	default:
		i := &database.Index{Name: x.name, Unique: x.unique, Parts: x.parts, Include: x.include, NullsNotDistinct: x.unique && nulls}
		if x.filter != "" {
			e := expr(x.filter)
			i.Where = &e
		}
		out.Indexes = append(out.Indexes, i)
	}
}

// portable says that an index is of the usual kind.
func (t *table) portable(x *index) bool {
	return (x.kind == 1 || x.kind == 2) && !x.disabled && !x.hidden && len(x.parts) > 0 && t.known(x)
}

func (t *table) neutralColumn(col *column) *database.Column {
	out := &database.Column{Name: col.name, Type: col.typeOf(), NotNull: !col.nullable, Comment: col.comment}
	switch {
	case col.computed != "" && !t.blind(col.computed):
		out.Generated = &database.Generated{Expr: expr(col.computed), Stored: col.persisted}
	case col.identity:
		out.Identity = &database.Identity{Always: true, Sequence: t.counterID(col)}
	case col.value != "":
		e := expr(col.value)
		out.Default = &e
	}
	return out
}

func (t *table) counterID(col *column) string {
	return t.schema + "." + t.name + "_" + col.name + "_identity"
}

// addSequences describes counters: identity columns' and free ones.
func (c *catalog) addSequences(s *database.Schema) {
	s.Sequences = nil
	for _, q := range c.sequences {
		n := &database.Sequence{
			Schema: q.schema, Name: q.name, Type: q.kind, Start: q.start, Increment: q.increment, Min: q.min, Max: q.max,
			Cache: q.cache, Cycle: q.cycle, Last: q.current, Called: q.used,
		}
		s.Sequences = append(s.Sequences, n)
	}
	for _, t := range c.tables {
		if s.Find(t.schema+"."+t.name) == nil {
			continue
		}
		for _, col := range t.columns {
			if col.identity {
				s.Sequences = append(s.Sequences, t.counter(col))
			}
		}
	}
}

func (t *table) counter(col *column) *database.Sequence {
	q := &database.Sequence{
		Schema: t.schema, Name: strings.TrimPrefix(t.counterID(col), t.schema+"."), Type: col.base, Start: col.seed, Increment: col.step,
		Min: min(col.seed, 1), Max: maxOf(col), Cache: 1, Last: col.seed, OwnerTable: t.schema + "." + t.name, OwnerColumn: col.name,
	}
	if col.last != nil {
		q.Last, q.Called = *col.last, true
	}
	return q
}

func maxOf(col *column) int64 {
	switch col.base {
	case "tinyint":
		return 255
	case "smallint":
		return 1<<15 - 1
	case "int":
		return 1<<31 - 1
	}
	return 1<<63 - 1
}

// findings are what a copy of the table cannot be.
func (t *table) findings(apart bool) []database.Finding {
	var out []database.Finding
	id := database.ObjectID{Kind: "table", Schema: t.schema, Name: t.name}
	add := func(o database.ObjectID, code database.Code, reason string) {
		out = append(out, database.Finding{Object: o, Status: database.Approximated, Code: code, Reason: reason})
	}
	switch {
	case t.temporal == 2:
		add(id, database.CodeTableTrait, "the system no longer keeps its versions; those it has are in its history table")
	case t.temporal == 1:
		add(id, database.CodeTableTrait, "the system no longer adds versions to it")
	}
	if t.memory {
		add(id, database.CodeTableTrait, "it is no longer kept in memory")
	}
	if t.memory && apart {
		add(id, database.CodeUnsnapshoted, "its rows are later than the snapshot, in which a table in memory cannot be read")
	}
	for _, c := range t.columns {
		part := database.ObjectID{Kind: "column", Table: t.schema + "." + t.name, Name: c.name}
		if c.hidden != "" {
			add(part, database.CodeHidden, c.hidden+" is hidden from this user, and left out")
		}
		switch {
		case t.blind(c.computed):
			add(part, database.CodeGeneratedPlain, "it was computed of a column that cannot be read, and becomes a plain one")
		case c.base == "timestamp":
			add(part, database.CodeColumnTrait, "a rowversion keeps its values and no longer changes by itself")
		case c.alias != "":
			add(part, database.CodeTypeChanged, "the type "+c.alias+" becomes the type below it, "+c.base)
		case c.period:
			add(part, database.CodeColumnTrait, "a column of a period becomes a plain one")
		}
	}
	return out
}

// extraObjects are what the neutral table leaves out.
func (t *table) extraObjects() []*database.Object {
	var out []*database.Object
	id := t.schema + "." + t.name
	for _, c := range t.unreadable {
		o := object("column", "", id, c.name, database.AtEnd)
		o.Lost = "values of type " + c.base + " cannot be read"
		if c.encrypted {
			o.Lost = "only clients that have its key can read it"
		}
		out = append(out, o)
	}
	for _, x := range t.indexes {
		if !t.portable(x) {
			out = append(out, t.oddIndex(x))
		}
	}
	alter := "ALTER TABLE " + qualified(t.schema, t.name)
	for _, k := range t.checks {
		switch {
		case k.definition == "", t.blind(k.definition):
			o := object("check", "", id, k.name, database.AfterData)
			if o.Lost = overUnreadable; k.definition == "" {
				o.Lost = hiddenLost
			}
			out = append(out, o)
		case k.disabled:
			out = append(out, object("check", "", id, k.name, database.AfterData,
				alter+" WITH NOCHECK ADD CONSTRAINT "+quote(k.name)+" CHECK "+k.definition, alter+" NOCHECK CONSTRAINT "+quote(k.name)))
		}
	}
	for _, f := range t.foreign {
		if f.disabled {
			out = append(out, object("foreign key", "", id, f.name, database.AfterData,
				alter+" WITH NOCHECK ADD CONSTRAINT "+quote(f.name)+" FOREIGN KEY ("+quoted(f.columns)+") REFERENCES "+qualified(f.refSchema, f.refTable)+" ("+quoted(f.refColumns)+")"+ddl.OnChange(f.onDelete, f.onUpdate),
				alter+" NOCHECK CONSTRAINT "+quote(f.name)))
		}
	}
	return out
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

const (
	overUnreadable = "it is over a column that cannot be read"
	hiddenLost     = "its definition is hidden from this user"
)

// oddIndex is one of a kind that we build natively, or not at all.
func (t *table) oddIndex(x *index) *database.Object {
	kind := "index"
	if x.primary {
		kind = "primary key"
	} else if x.constraint {
		kind = "unique"
	}
	o := object(kind, "", t.schema+"."+t.name, x.name, database.AfterData)
	on := " ON " + qualified(t.schema, t.name)
	switch {
	case x.hidden:
		o.Lost = hiddenLost
	case x.kind == 5:
		o.DDL = []string{"CREATE CLUSTERED COLUMNSTORE INDEX " + quote(x.name) + on}
	case !t.known(x):
		o.Lost = overUnreadable
	case x.kind == 6 && x.filter == "":
		o.DDL = []string{"CREATE NONCLUSTERED COLUMNSTORE INDEX " + quote(x.name) + on + " (" + quoted(x.include) + ")"}
	case x.disabled:
		o.Lost = "it is disabled"
	default:
		o.Lost = fmt.Sprintf("an index of kind %s is not rebuilt", strings.ToLower(x.words))
	}
	return o
}

// dialect is the native one, which knows how tables are clustered.
func (c *catalog) dialect() *ddl.Dialect {
	d := dialect()
	words := func(t *database.Table, name string) string {
		if raw := c.find(t.Schema, t.Name); raw != nil {
			for _, x := range raw.indexes {
				if x.name == name {
					return x.words
				}
			}
		}
		return ""
	}
	d.KeyWords = func(t *database.Table, name string) string { return " " + words(t, name) }
	d.IndexWords = func(t *database.Table, name string) string { return words(t, name) + " " }
	d.Generated = func(_ ddl.Mapped, expr string, stored bool) string {
		if stored {
			return "AS " + expr + " PERSISTED"
		}
		return "AS " + expr
	}
	return d
}

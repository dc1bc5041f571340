package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// schema describes the catalog in the seam's words, its tables' objects
// included.
func (c *catalog) schema(filter database.Filter) *database.Schema {
	s := &database.Schema{
		Engine: database.Oracle, Version: c.server.version, Namespace: c.server.owner,
		Settings: map[string]string{"time_zone": "+00:00"},
	}
	var skipped []*database.Object
	for _, t := range c.tables {
		switch {
		case !filter.Takes(c.server.owner, "", t.name):
		case t.temporary:
			skipped = append(skipped, object("temporary table", "", t.name, database.AtEnd))
		default:
			s.Tables = append(s.Tables, c.neutral(t))
			s.Findings = append(s.Findings, t.findings()...)
		}
	}
	c.addSequences(s)
	s.Objects = append(c.tableObjects(s), skipped...)
	for _, t := range c.tables {
		if s.Find(t.name) != nil {
			s.Objects = append(s.Objects, c.extraObjects(t)...)
		}
	}
	return s
}

// neutral describes a table.
func (c *catalog) neutral(t *table) *database.Table {
	out := &database.Table{Name: t.name, Comment: t.comment, EstimatedRows: t.rows, EstimatedBytes: t.bytes}
	for _, col := range t.columns {
		out.Columns = append(out.Columns, c.neutralColumn(t, col))
	}
	for _, k := range c.constraints {
		if k.table == t.name && !k.disabled && !unreadable(t, k.columns) {
			c.attach(out, k)
		}
	}
	for _, x := range t.indexes {
		if t.builds(x) {
			out.Indexes = append(out.Indexes, neutralIndex(x))
		}
	}
	out.Order = out.KeyOrder()
	return out
}

// builds says that an index is of a kind that we spell ourselves, over columns
// that are copied.
func (t *table) builds(x *index) bool {
	switch x.kind {
	case "NORMAL", "FUNCTION-BASED NORMAL", "BITMAP", "FUNCTION-BASED BITMAP", "NORMAL/REV", "FUNCTION-BASED NORMAL/REV":
		return !slices.ContainsFunc(x.parts, func(p database.IndexPart) bool { return p.Column != "" && t.column(p.Column) == nil })
	}
	return false
}

// unreadable says that a constraint is over a column that is not copied.
func unreadable(t *table, columns []string) bool {
	return slices.ContainsFunc(columns, func(name string) bool { return t.column(name) == nil })
}

func (c *catalog) neutralColumn(t *table, col *column) *database.Column {
	typ, _ := col.typeOf()
	out := &database.Column{Name: col.name, Type: typ, NotNull: !col.nullable, Comment: col.comment}
	counter := t.counter(col.name)
	switch {
	case counter != nil:
		out.Identity = &database.Identity{Always: counter.always, Sequence: counter.sequence}
	case col.virtual:
		out.Generated = &database.Generated{Expr: expr(col.value)}
	case col.value != "" && !strings.EqualFold(col.value, "NULL"):
		e := expr(col.value)
		out.Default = &e
	}
	return out
}

func (t *table) counter(column string) *counter {
	for _, one := range t.counters {
		if one.column == column {
			return one
		}
	}
	return nil
}

func expr(sql string) database.Expr { return database.Expr{Engine: database.Oracle, SQL: sql} }

func (c *catalog) attach(t *database.Table, k *constraint) {
	switch k.kind {
	case "P":
		t.PrimaryKey = &database.Key{Name: k.name, Columns: k.columns, Deferrable: k.deferral}
	case "U":
		t.Uniques = append(t.Uniques, &database.Key{Name: k.name, Columns: k.columns, Deferrable: k.deferral})
	case "C":
		if !isNotNull(k) {
			t.Checks = append(t.Checks, &database.Check{Name: k.name, Expr: expr(k.condition), NotValid: k.notValid})
		}
	case "R":
		f := &database.ForeignKey{
			Name: k.name, Columns: k.columns, RefTable: k.refTable, RefColumns: k.refColumns,
			Deferrable: k.deferral, NotValid: k.notValid,
		}
		if k.refOwner != c.server.owner {
			f.RefSchema = k.refOwner
		}
		if k.deleteRule == "CASCADE" || k.deleteRule == "SET NULL" {
			f.OnDelete = database.Action(k.deleteRule)
		}
		t.ForeignKeys = append(t.ForeignKeys, f)
	}
}

// isNotNull knows the check that stands behind NOT NULL.
func isNotNull(k *constraint) bool {
	return len(k.columns) == 1 && k.condition == quote(k.columns[0])+" IS NOT NULL"
}

func neutralIndex(x *index) *database.Index {
	out := &database.Index{Name: x.name, Unique: x.unique, Parts: x.parts}
	switch {
	case strings.HasSuffix(x.kind, "BITMAP"):
		out.Method = "bitmap"
	case strings.HasSuffix(x.kind, "/REV"):
		out.Method = "reverse"
	}
	return out
}

// addSequences describes counters, those behind columns with their owners.
func (c *catalog) addSequences(s *database.Schema) {
	s.Sequences = nil
	for _, q := range c.sequences {
		n := &database.Sequence{
			Name: q.name, Type: "bigint", Start: q.last, Increment: q.increment, Min: q.min, Max: q.max,
			Cache: q.cached, Cycle: q.cycle, Last: q.last,
		}
		owned := false
		for _, t := range c.tables {
			for _, one := range t.counters {
				if one.sequence == q.name {
					n.OwnerTable, n.OwnerColumn, owned = t.name, one.column, true
				}
			}
		}
		if !owned || s.Find(n.OwnerTable) != nil {
			s.Sequences = append(s.Sequences, n)
		}
	}
}

// findings are what a copy of the table cannot be.
func (t *table) findings() []database.Finding {
	var out []database.Finding
	id := database.ObjectID{Kind: "table", Name: t.name}
	add := func(o database.ObjectID, status database.Status, code database.Code, reason string, n int64) {
		out = append(out, database.Finding{Object: o, Status: status, Code: code, Reason: reason, Count: n})
	}
	part := func(c *column) database.ObjectID {
		return database.ObjectID{Kind: "column", Table: t.name, Name: c.name}
	}
	if t.cluster != "" {
		add(id, database.Approximated, database.CodeTableTrait, "it becomes a table of its own, outside of the cluster "+t.cluster, 0)
	}
	if t.index {
		add(id, database.Approximated, database.CodeTableTrait, "it is no longer organized as an index", 0)
	}
	for _, c := range t.columns {
		if n := t.regions[c.name]; n > 0 {
			add(part(c), database.Approximated, database.CodeZoneNames, "the names of time zones become their offsets", n)
		}
		if c.invisible {
			add(part(c), database.Approximated, database.CodeColumnTrait, "it is no longer invisible", 0)
		}
		if k := t.counter(c.name); c.onNull && (k == nil || !k.always) {
			add(part(c), database.Approximated, database.CodeColumnTrait, "its default no longer takes the place of a null", 0)
		}
		switch {
		case c.object():
			add(part(c), database.Approximated, database.CodeTypeChanged, "objects of type "+c.dataOwner+"."+c.data+" are kept as XML text", 0)
		case c.family() == "ROWID" || c.family() == "UROWID":
			add(part(c), database.Approximated, database.CodeRowAddresses, "row addresses are those of the source and lead nowhere in a copy", 0)
		}
	}
	return out
}

// extraObjects are columns that cannot be read, disabled constraints and the
// like: what the neutral table leaves out.
func (c *catalog) extraObjects(t *table) []*database.Object {
	var out []*database.Object
	for _, col := range t.unreadable {
		o := object("column", t.name, col.name, database.AtEnd)
		o.Lost = "values of type " + col.data + " cannot be read"
		out = append(out, o)
	}
	for _, k := range c.constraints {
		if k.table == t.name && unreadable(t, k.columns) {
			o := object(constraintKinds[k.kind], t.name, k.name, database.AfterData)
			o.Lost = "it is over a column that cannot be read"
			out = append(out, o)
		}
	}
	for _, x := range t.indexes {
		if !t.builds(x) { // its DDL is asked of the server
			out = append(out, object("index", t.name, x.name, database.AtEnd))
		}
	}
	if t.partitioned {
		out = append(out, object("partitioning", t.name, t.name, database.AtEnd))
	}
	return out
}

var constraintKinds = map[string]string{"P": "primary key", "U": "unique", "R": "foreign key", "C": "check"}

func object(kind, table, name string, phase database.Phase, ddl ...string) *database.Object {
	return &database.Object{ObjectID: database.ObjectID{Kind: kind, Table: table, Name: name}, Phase: phase, DDL: ddl}
}

// tableObjects are sequences, tables, keys and so on, with their DDL.
func (c *catalog) tableObjects(s *database.Schema) []*database.Object {
	out := ddl.Objects(c.dialect().Spell(s))
	for _, k := range c.constraints {
		if t := c.table(k.table); s.Find(k.table) != nil && k.disabled && !unreadable(t, k.columns) && !isNotNull(k) {
			out = append(out, c.disabledConstraint(k))
		}
	}
	return out
}

// disabledConstraint is kept as it is, out of force. The neutral model has no
// word for it.
func (c *catalog) disabledConstraint(k *constraint) *database.Object {
	columns := make([]string, len(k.columns))
	for i, name := range k.columns {
		columns[i] = quote(name)
	}
	list := "(" + strings.Join(columns, ", ") + ")"
	body := "CHECK (" + k.condition + ")"
	switch k.kind {
	case "P":
		body = "PRIMARY KEY " + list
	case "U":
		body = "UNIQUE " + list
	case "R":
		references := make([]string, len(k.refColumns))
		for i, name := range k.refColumns {
			references[i] = quote(name)
		}
		body = "FOREIGN KEY " + list + " REFERENCES " + c.refName(k) + " (" + strings.Join(references, ", ") + ")"
		if k.deleteRule == "CASCADE" || k.deleteRule == "SET NULL" {
			body += " ON DELETE " + k.deleteRule
		}
	}
	return object(constraintKinds[k.kind], k.table, k.name, database.AfterData,
		fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s DISABLE", quote(k.table), quote(k.name), body))
}

func (c *catalog) refName(k *constraint) string {
	if k.refOwner == c.server.owner {
		return quote(k.refTable)
	}
	return quote(k.refOwner) + "." + quote(k.refTable)
}

// dialect is the native one, which knows kinds of indexes.
func (c *catalog) dialect() *ddl.Dialect {
	d := dialect(c.server)
	method := func(name string) string {
		if x := c.index(name); x != nil {
			return neutralIndex(x).Method
		}
		return ""
	}
	d.IndexWords = func(_ *database.Table, name string) string {
		if method(name) == "bitmap" {
			return "BITMAP "
		}
		return ""
	}
	d.IndexTail = func(_ *database.Table, name string) string {
		if method(name) == "reverse" {
			return " REVERSE"
		}
		return ""
	}
	return d
}

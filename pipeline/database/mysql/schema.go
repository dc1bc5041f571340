package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// schema describes the catalog in the seam's words.
func (c *catalog) schema() (*database.Schema, error) {
	s := &database.Schema{
		Engine: c.server.engine, Version: c.server.version, Namespace: c.name,
		Settings: map[string]string{"collation": c.collation, "time_zone": "+00:00"},
	}
	distinct := names.Distinct()
	for _, r := range c.relations {
		if !r.table() {
			continue
		}
		t := c.table(r)
		for _, col := range t.Columns {
			if col.Identity != nil {
				q := c.counter(r, t, col)
				q.Name = distinct(q.Name)
				col.Identity.Sequence = q.ID()
				s.Sequences = append(s.Sequences, q)
			}
		}
		s.Tables = append(s.Tables, t)
	}
	for _, q := range c.sequences {
		s.Sequences = append(s.Sequences, q.neutral())
	}
	var err error
	s.Objects, err = c.objects(s)
	s.Findings = c.findings()
	return s, err
}

// findings names what the snapshot does not cover.
func (c *catalog) findings() []database.Finding {
	var out []database.Finding
	for _, r := range c.relations {
		id := database.ObjectID{Kind: "table", Name: r.name}
		if r.table() && !c.transactional(r) {
			out = append(out, database.Finding{
				Object: id, Status: database.Approximated, Code: database.CodeUnsnapshoted,
				Reason: "its storage engine " + r.engine + " knows no transactions, so its rows stand outside the snapshot",
			})
		}
		if r.table() {
			out = append(out, c.strangeCounters(r)...)
		}
		if r.kind == "SYSTEM VERSIONED" {
			out = append(out, database.Finding{
				Object: id, Status: database.Approximated, Code: database.CodeHistory,
				Reason: "only its current rows are copied, not their history, and the times of rows begin anew",
			})
		}
	}
	return out
}

func (c *catalog) table(r *relation) *database.Table {
	t := &database.Table{Name: r.name, Comment: r.comment, EstimatedRows: r.rows, EstimatedBytes: r.bytes}
	for _, col := range c.columns[r.name] {
		t.Columns = append(t.Columns, c.column(r, col))
	}
	for _, k := range c.keys[r.name] {
		addKey(t, k, c.server.engine)
	}
	for _, f := range c.foreign[r.name] {
		t.ForeignKeys = append(t.ForeignKeys, &database.ForeignKey{
			Name: f.name, Columns: f.columns, RefSchema: f.schema, RefTable: f.table, RefColumns: f.references,
			OnDelete: action(f.onDelete), OnUpdate: action(f.onUpdate),
		})
	}
	for _, k := range c.checks[r.name] {
		if !isJSONCheck(k, k.name) {
			t.Checks = append(t.Checks, &database.Check{Name: k.name, Expr: *expr(c.server.engine, k.clause), NotValid: k.unenforced})
		}
	}
	t.Order = rowOrder(t)
	return t
}

func action(rule string) database.Action {
	if rule == "NO ACTION" {
		return database.NoAction
	}
	return database.Action(rule)
}

// isJSONCheck knows the check that MariaDB gives to a column of type JSON.
func isJSONCheck(k *check, column string) bool {
	return k.inline && k.name == column && k.clause == "json_valid("+quote(column)+")"
}

// addKey files a key as primary key, unique or index.
func addKey(t *database.Table, k *key, engine string) {
	columns := make([]string, len(k.parts))
	plain := k.method == "BTREE" || k.method == "HASH"
	for i, p := range k.parts {
		columns[i] = p.column
		plain = plain && p.prefix == 0 && p.column != "" && !p.desc
	}
	switch {
	case k.name == "PRIMARY":
		t.PrimaryKey = &database.Key{Name: k.name, Columns: columns}
	case k.unique && plain:
		t.Uniques = append(t.Uniques, &database.Key{Name: k.name, Columns: columns})
	default:
		t.Indexes = append(t.Indexes, neutralIndex(k, engine))
	}
}

func neutralIndex(k *key, engine string) *database.Index {
	out := &database.Index{Name: k.name, Unique: k.unique}
	if k.method != "BTREE" && k.method != "HASH" {
		out.Method = strings.ToLower(k.method)
	}
	for _, p := range k.parts {
		part := database.IndexPart{Column: p.column, Desc: p.desc, Prefix: p.prefix}
		if out.Method != "" {
			part.Prefix = 0 // what the server shows for a spatial key is no prefix
		}
		if p.column == "" {
			part.Expr = expr(engine, p.expr)
		}
		out.Parts = append(out.Parts, part)
	}
	return out
}

// rowOrder is the primary key, else the first unique key that holds no null.
func rowOrder(t *database.Table) []string {
	if t.PrimaryKey != nil {
		return t.PrimaryKey.Columns
	}
	for _, k := range t.Uniques {
		if !slices.ContainsFunc(k.Columns, func(name string) bool { c := t.Column(name); return c == nil || !c.NotNull }) {
			return k.Columns
		}
	}
	return nil
}

func (c *catalog) column(r *relation, col *column) *database.Column {
	out := &database.Column{Name: col.name, Type: c.typeOf(r, col), NotNull: !col.nullable, Comment: col.comment}
	switch {
	case col.generated != "":
		out.Generated = &database.Generated{
			Expr:   *expr(c.server.engine, col.generated),
			Stored: strings.Contains(col.extra, "stored") || strings.Contains(col.extra, "persistent"),
		}
	case strings.Contains(col.extra, "auto_increment"):
		out.Identity = &database.Identity{}
	case col.value != nil:
		out.Default = c.defaultOf(col)
	}
	return out
}

// defaultOf gives the default as an expression. MariaDB says it in SQL; MySQL
// gives a literal bare and marks an expression.
func (c *catalog) defaultOf(col *column) *database.Expr {
	value := *col.value
	switch {
	case c.server.mariadb() && strings.EqualFold(value, "NULL"):
		return nil
	case c.server.mariadb() || strings.Contains(col.extra, "default_generated"):
		return expr(c.server.engine, value)
	case col.data == "bit" || strings.HasSuffix(col.data, "int") || col.data == "decimal" || col.data == "float" || col.data == "double" || col.data == "year":
		return expr(c.server.engine, value)
	case strings.Contains(col.data, "binary"):
		return expr(c.server.engine, value) // MySQL prints 0x…
	}
	return expr(c.server.engine, quoteText(value))
}

// counter describes AUTO_INCREMENT as a sequence.
func (c *catalog) counter(r *relation, t *database.Table, col *database.Column) *database.Sequence {
	return &database.Sequence{
		Name: t.Name + "_" + col.Name + "_seq", Type: "bigint", Start: 1, Increment: 1, Min: 1, Max: maxOf(col.Type),
		Cache: 1, Last: max(r.counter, 1), OwnerTable: t.ID(), OwnerColumn: col.Name,
	}
}

func maxOf(t database.Type) int64 {
	bits := t.Bits
	if t.Kind != database.Int || bits == 0 || bits >= 63 {
		return 1<<63 - 1
	}
	if t.Unsigned {
		bits++
	}
	return 1<<(bits-1) - 1
}

func (q *sequence) neutral() *database.Sequence {
	return &database.Sequence{
		Name: q.name, Type: "bigint", Start: q.start, Increment: q.increment, Min: q.min, Max: q.max,
		Cache: q.cache, Cycle: q.cycle, Last: q.next,
	}
}

var intBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "integer": 32, "bigint": 64}

var geometries = map[string]bool{
	"geometry": true, "point": true, "linestring": true, "polygon": true, "multipoint": true, "multilinestring": true,
	"multipolygon": true, "geometrycollection": true, "geomcollection": true,
}

// typeOf gives a column's type in the seam's words.
func (c *catalog) typeOf(r *relation, col *column) database.Type {
	t := database.Type{Native: col.native}
	unsigned := strings.Contains(col.native, "unsigned")
	switch col.data {
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint":
		t.Kind, t.Bits, t.Unsigned = database.Int, intBits[col.data], unsigned
	case "decimal", "numeric":
		t.Kind, t.Precision, t.Scale, t.Unsigned = database.Decimal, col.precision, col.scale, unsigned
	case "float":
		t.Kind, t.Bits, t.Unsigned = database.Float, 32, unsigned
	case "double", "real":
		t.Kind, t.Bits, t.Unsigned = database.Float, 64, unsigned
	case "bit":
		t.Kind, t.Length, t.Fixed = database.Bits, int64(col.precision), true
	case "year":
		t.Kind = database.Year
	case "date":
		t.Kind = database.Date
	case "time":
		t.Kind, t.Fraction = database.Time, col.fraction
	case "datetime":
		t.Kind, t.Fraction = database.Timestamp, col.fraction
	case "timestamp":
		t.Kind, t.Fraction = database.TimestampTZ, col.fraction
	case "enum":
		t.Kind, t.Values = database.Enum, labels(col.native)
	case "set":
		t.Kind, t.Values = database.Set, labels(col.native)
	case "json":
		t.Kind = database.JSON
	case "uuid":
		t.Kind = database.UUID
	case "binary":
		t.Kind, t.Length, t.Fixed = database.Bytes, col.length, true
	case "varbinary":
		t.Kind, t.Length = database.Bytes, col.length
	case "tinyblob", "blob", "mediumblob", "longblob", "vector":
		t.Kind = database.Bytes
	case "char", "varchar":
		t.Kind, t.Length, t.Fixed = database.Text, col.length, col.data == "char"
	case "tinytext", "text", "mediumtext", "longtext":
		t.Kind = database.Text
		if slices.ContainsFunc(c.checks[r.name], func(k *check) bool { return isJSONCheck(k, col.name) }) {
			t.Kind = database.JSON
		}
	default:
		t.Kind = database.Other
		if geometries[col.data] {
			t.Kind = database.Geometry
		}
	}
	t.Charset, t.Collation = col.charset, col.collation
	t.NoCase = strings.Contains(col.collation, "_ci") && (t.Kind == database.Text || t.Kind == database.Enum || t.Kind == database.Set)
	return t
}

// objects lists everything with its DDL, in an order of creation.
func (c *catalog) objects(s *database.Schema) ([]*database.Object, error) {
	var before, tables, inside, after, foreign, end []*database.Object
	for _, q := range c.sequences {
		before = append(before, object("sequence", "", q.name, database.BeforeTables, q.create))
	}
	for _, r := range c.relations {
		switch {
		case r.kind == "VIEW":
			o := object("view", "", r.name, database.AtEnd, append(slices.Clone(r.context), r.create)...)
			if r.create == "" {
				o.DDL, o.Lost = nil, r.lost
			}
			end = append(end, o)
		case r.table():
			parts, err := c.tableObjects(r, s.Find(r.name))
			if err != nil {
				return nil, err
			}
			tables, inside = append(tables, parts.table), append(inside, parts.inside...)
			after, foreign = append(after, parts.after...), append(foreign, parts.foreign...)
		case r.kind != "SEQUENCE":
			o := object(strings.ToLower(r.kind), "", r.name, database.AtEnd)
			if o.Lost = "objects of this kind are not known"; r.kind == mergeTable {
				o.Lost = "its rows are those of other tables"
			}
			end = append(end, o)
		}
	}
	routines := codeObjects(c.routines)
	late := append(codeObjects(c.triggers), codeObjects(c.events)...)
	for _, h := range c.hidden {
		o := object(h.kind, "", c.name, database.AtEnd)
		o.Lost = h.reason
		late = append(late, o)
	}
	return slices.Concat(before, tables, inside, after, foreign, routines, end, late), nil
}

func object(kind, table, name string, phase database.Phase, ddl ...string) *database.Object {
	return &database.Object{ObjectID: database.ObjectID{Kind: kind, Table: table, Name: name}, Phase: phase, DDL: ddl}
}

func codeObjects(list []code) []*database.Object {
	var out []*database.Object
	for _, one := range list {
		o := object(one.kind, one.table, one.name, database.AtEnd, one.statements...)
		o.Lost = one.lost
		out = append(out, o)
	}
	return out
}

// tableParts are the objects of one table. Those inside stand in CREATE TABLE
// too; their own DDL is for people and for other engines.
type tableParts struct {
	table                  *database.Object
	inside, after, foreign []*database.Object
}

func (c *catalog) tableObjects(r *relation, t *database.Table) (p tableParts, err error) {
	create, ok := splitCreate(r.create)
	if !ok {
		return p, fmt.Errorf("read the definition of table %s: it is not understood: %.200s", r.name, r.create)
	}
	alter := "ALTER TABLE " + quote(r.name) + " "
	var kept []string
	for _, line := range create.lines {
		d := define(line)
		kind, movable := d.kind, false
		switch kind {
		case "unique", "index":
			movable = !needed(t, d.name)
			if kind == "unique" && !slices.ContainsFunc(t.Uniques, func(k *database.Key) bool { return k.Name == d.name }) {
				kind = "index" // a unique key over prefixes or expressions
			}
			o := object(kind, r.name, d.name, database.AfterData, alter+"ADD "+line)
			if !movable {
				o.Phase = database.Tables
				p.inside = append(p.inside, o)
				break
			}
			p.after = append(p.after, o)
		case "foreign key":
			movable = true
			p.foreign = append(p.foreign, object(kind, r.name, d.name, database.AfterData, alter+"ADD "+line))
		case "primary key", "check":
			p.inside = append(p.inside, object(kind, r.name, d.name, database.Tables, alter+"ADD "+line))
		case "column":
			p.inside = append(p.inside, c.columnObjects(r, d.name, line)...)
		}
		if !movable {
			kept = append(kept, line)
		}
	}
	if create.parts != "" {
		p.inside = append(p.inside, object("partitioning", r.name, r.name, database.Tables, alter+create.parts))
	}
	p.table = object("table", "", r.name, database.Tables, create.join(kept))
	return p, nil
}

// columnObjects are what a column brings besides itself.
func (c *catalog) columnObjects(r *relation, name, line string) []*database.Object {
	var out []*database.Object
	modify := "ALTER TABLE " + quote(r.name) + " MODIFY COLUMN " + line
	for _, col := range c.columns[r.name] {
		if col.name == name && strings.Contains(col.extra, "on update") {
			out = append(out, object("on update", r.name, name, database.Tables, modify))
		}
	}
	for _, k := range c.checks[r.name] {
		if k.inline && k.name == name && !isJSONCheck(k, name) {
			out = append(out, object("check", r.name, name, database.Tables, modify))
		}
	}
	return out
}

// needed says that a key must be there from the start: one that begins with the
// AUTO_INCREMENT column, unless the primary key does.
func needed(t *database.Table, name string) bool {
	counter := ""
	for _, col := range t.Columns {
		if col.Identity != nil {
			counter = col.Name
		}
	}
	if counter == "" || t.PrimaryKey != nil && t.PrimaryKey.Columns[0] == counter {
		return false
	}
	for _, k := range t.Uniques {
		if k.Name == name {
			return slices.Contains(k.Columns, counter)
		}
	}
	for _, x := range t.Indexes {
		if x.Name == name {
			return slices.ContainsFunc(x.Parts, func(p database.IndexPart) bool { return p.Column == counter })
		}
	}
	return false
}

package sqlite

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
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
	rowid   bool // false: WITHOUT ROWID
	counter *database.Sequence
	checks  []checkLayout
}

type columnLayout struct {
	name      string
	enc       encoding
	generated bool
	long      bool // its cells may be long ones
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

// mapper plans a portable file from the neutral schema.
type mapper struct {
	source    *database.Schema
	plan      *database.Plan
	layout    *layout
	relations names                        // tables and indexes share a namespace
	tables    map[string]*tableLayout      // by source ID
	columns   map[string]map[string]string // by table ID: source name → file name
}

// portable plans the file that an export makes.
func portable(s *database.Schema) *database.Plan {
	m := &mapper{
		source: s, layout: &layout{}, relations: names{}, tables: map[string]*tableLayout{}, columns: map[string]map[string]string{},
		plan: &database.Plan{Source: s, Loaders: 1},
	}
	m.plan.Detail = m.layout
	for _, t := range s.Tables {
		m.nameTable(t)
	}
	for _, t := range s.Tables {
		m.table(t)
	}
	for _, t := range s.Tables {
		m.keysAndIndexes(t)
	}
	m.freeSequences()
	m.pragmas()
	m.implied()
	return m.plan
}

// pragmas carries the numbers in another SQLite file's header.
func (m *mapper) pragmas() {
	for _, o := range m.source.Objects {
		if m.source.Engine == database.SQLite && o.Kind == pragmaKind && fits(o) == nil {
			m.layout.late = append(m.layout.late, lateObject{id: o.ObjectID, sql: o.DDL[0]})
			m.exact(o.ObjectID)
		}
	}
}

func (m *mapper) finding(id database.ObjectID, status database.Status, code database.Code, reason string) {
	m.plan.Findings = append(m.plan.Findings, database.Finding{Object: id, Status: status, Code: code, Reason: reason})
}

func (m *mapper) exact(id database.ObjectID) { m.finding(id, database.Exact, "", "") }

func (m *mapper) approximated(id database.ObjectID, code database.Code, reason string) {
	m.finding(id, database.Approximated, code, reason)
}

// nameTable settles the names of a table and its columns, so that foreign keys
// can refer to them.
func (m *mapper) nameTable(t *database.Table) {
	wanted := tableName(m.source, t)
	name := m.relations.take(wanted)
	if name != wanted {
		m.approximated(t.ObjectID(), "DB130", "it is called "+name+", since SQLite does not tell names apart by case")
	}
	m.tables[t.ID()] = &tableLayout{name: name, rowid: true}
	columns, taken := map[string]string{}, names{}
	for _, c := range t.Columns {
		columns[c.Name] = taken.take(c.Name)
		if columns[c.Name] != c.Name {
			m.approximated(t.Part("column", c.Name), "DB130", "it is called "+columns[c.Name]+", since SQLite does not tell names apart by case")
		}
	}
	m.columns[t.ID()] = columns
}

// mapped gives the file's names of columns.
func (m *mapper) mapped(table string, list []string) []string {
	out := make([]string, len(list))
	for i, name := range list {
		out[i] = m.columns[table][name]
	}
	return out
}

func (m *mapper) table(src *database.Table) {
	l := m.tables[src.ID()]
	target := &database.Table{Name: l.name, Role: src.Role, Order: m.mapped(src.ID(), src.Order)}
	l.planned = &database.PlannedTable{Source: src, Target: target}
	var parts []string
	rowKey := rowKeyColumn(src, m.source.Engine == database.SQLite)
	for _, c := range src.Columns {
		parts = append(parts, m.column(src, l, target, c, c == rowKey))
	}
	if len(parts) == 0 {
		parts = append(parts, quote(reservedPrefix+"row")+" INTEGER PRIMARY KEY")
	}
	if k := src.PrimaryKey; k != nil {
		target.PrimaryKey = &database.Key{Columns: m.mapped(src.ID(), k.Columns)}
		if rowKey == nil {
			parts = append(parts, "PRIMARY KEY ("+quoteAll(target.PrimaryKey.Columns)+")")
		}
		m.keyFinding(src, "primary key", k)
	}
	for _, k := range src.Checks {
		parts = append(parts, m.check(src, l, k)...)
	}
	for _, k := range src.ForeignKeys {
		parts = append(parts, m.foreignKey(src, target, k)...)
	}
	l.create = "CREATE TABLE " + quote(l.name) + " (\n  " + strings.Join(parts, ",\n  ") + "\n)"
	m.plan.Tables = append(m.plan.Tables, l.planned)
	m.layout.tables = append(m.layout.tables, l)
	m.exact(src.ObjectID())
}

// rowKeyColumn is the primary key where it can be the rowid. In SQLite's own tables a key of another type than INTEGER may hold nulls.
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

func (m *mapper) column(src *database.Table, l *tableLayout, target *database.Table, c *database.Column, rowKey bool) string {
	decl, enc := declare(c.Type)
	name := m.columns[src.ID()][c.Name]
	inKey := src.PrimaryKey != nil && contains(src.PrimaryKey.Columns, c.Name)
	out := &database.Column{Name: name, Type: c.Type, NotNull: c.NotNull || inKey && m.source.Engine != database.SQLite}
	target.Columns = append(target.Columns, out)
	layout := columnLayout{name: name, enc: enc, long: mayBeLong(c.Type, enc)}
	sql := quote(name) + " "
	switch {
	case rowKey:
		sql += "INTEGER PRIMARY KEY"
		if q := m.counter(c); q != nil {
			sql += " AUTOINCREMENT"
			l.counter = q
		}
	default:
		sql += decl + m.generated(src, c, &layout) + m.defaultOf(src, c, enc)
		m.counter(c)
	}
	if out.NotNull && !layout.generated {
		sql += " NOT NULL"
	}
	if layout.generated {
		layout.long = false
		out.Generated = c.Generated
	}
	l.columns = append(l.columns, layout)
	m.columnFinding(src, c, enc)
	return sql
}

func contains(list []string, name string) bool {
	for _, s := range list {
		if s == name {
			return true
		}
	}
	return false
}

// columnFinding says where a column's values are kept but mean less in SQLite.
func (m *mapper) columnFinding(src *database.Table, c *database.Column, enc encoding) {
	id := src.Part("column", c.Name)
	switch {
	case c.Type.Kind == database.Decimal && enc == plain:
		m.approximated(id, "DB120", "numbers wider than 15 digits are text: kept exactly, compared as text")
	case enc == uint64Text:
		m.approximated(id, "DB120", "unsigned 64-bit numbers are text: kept exactly, compared as text")
	case c.Type.Kind == database.Text && c.Type.NoCase:
		m.approximated(id, "DB121", "equality ignores the case of ASCII letters only")
	case c.Type.Kind == database.Array || c.Type.Kind == database.Other || c.Type.Kind == database.Set || c.Type.Kind == database.Geometry:
		m.approximated(id, "DB122", "the type "+c.Type.Native+" is kept in the source's own spelling")
	}
}

// counter finds a column's sequence and reports it.
func (m *mapper) counter(c *database.Column) *database.Sequence {
	if c.Identity == nil {
		return nil
	}
	return m.source.Sequence(c.Identity.Sequence)
}

// generated writes the expression where SQLite computes the very same.
func (m *mapper) generated(src *database.Table, c *database.Column, layout *columnLayout) string {
	if c.Generated == nil {
		return ""
	}
	sql, ok := database.Translate(c.Generated.Expr, database.SQLite, m.reference(src, sameEverywhere))
	if !ok || !sameEverywhere(c.Type) || strings.Contains(sql, "lower(") || strings.Contains(sql, "upper(") {
		m.approximated(src.Part("column", c.Name), "DB111", "a generated column becomes a plain one that holds the values")
		return ""
	}
	layout.generated = true
	if c.Generated.Stored {
		return " GENERATED ALWAYS AS (" + sql + ") STORED"
	}
	return " GENERATED ALWAYS AS (" + sql + ") VIRTUAL"
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

// reference spells a column of the source, whatever case its dialect uses.
func (m *mapper) reference(src *database.Table, good func(database.Type) bool) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, c := range src.Columns {
			if c.Name == name || src.Column(name) == nil && strings.EqualFold(c.Name, name) {
				return quote(m.columns[src.ID()][c.Name]), good(c.Type)
			}
		}
		return "", false
	}
}

func (m *mapper) defaultOf(src *database.Table, c *database.Column, enc encoding) string {
	if c.Default == nil {
		return ""
	}
	id := src.Part("default", c.Name)
	sql, ok := defaultSQL(*c.Default, c.Type, enc)
	if !ok {
		m.finding(id, database.SidecarOnly, "DB112", "the default "+c.Default.SQL+" has no counterpart")
		return ""
	}
	m.exact(id)
	return " DEFAULT " + sql
}

func defaultSQL(e database.Expr, t database.Type, enc encoding) (string, bool) {
	if e.IsNow() {
		return "CURRENT_TIMESTAMP", t.Kind == database.Timestamp || t.Kind == database.TimestampTZ
	}
	c, ok := e.Literal()
	if !ok || t.Kind == database.Bytes || t.Kind == database.Interval {
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

func (m *mapper) keyFinding(src *database.Table, kind string, k *database.Key) {
	id := src.Part(kind, k.Name)
	switch {
	case k.NullsNotDistinct:
		m.approximated(id, "DB131", "SQLite takes nulls for distinct")
	case k.Deferrable != database.Immediate:
		m.approximated(id, "DB131", "SQLite checks it at once")
	default:
		m.exact(id)
	}
}

func (m *mapper) check(src *database.Table, l *tableLayout, k *database.Check) []string {
	id := src.Part("check", k.Name)
	sql, ok := database.Translate(k.Expr, database.SQLite, m.reference(src, comparable))
	if !ok {
		m.finding(id, database.SidecarOnly, "DB113", "the condition has no counterpart: "+k.Expr.SQL)
		return nil
	}
	clause := "CHECK (" + sql + ")"
	if k.Name != "" {
		clause = "CONSTRAINT " + quote(k.Name) + " " + clause
	}
	l.checks = append(l.checks, checkLayout{id: id, sql: sql, clause: ",\n  " + clause})
	m.exact(id)
	return []string{clause}
}

func (m *mapper) foreignKey(src, target *database.Table, k *database.ForeignKey) []string {
	id := src.Part("foreign key", k.Name)
	parent := m.find(k)
	if parent == nil {
		m.finding(id, database.Dropped, "DB116", "the table that it refers to is not part of the copy")
		return nil
	}
	if !parent.HasKey(k.RefColumns) {
		m.finding(id, database.SidecarOnly, "DB116", "it does not refer to a unique key")
		return nil
	}
	columns, refs := m.mapped(src.ID(), k.Columns), m.mapped(parent.ID(), k.RefColumns)
	name := m.tables[parent.ID()].name
	target.ForeignKeys = append(target.ForeignKeys, &database.ForeignKey{
		Columns: columns, RefTable: name, RefColumns: refs, OnDelete: k.OnDelete, OnUpdate: k.OnUpdate,
	})
	sql := "FOREIGN KEY (" + quoteAll(columns) + ") REFERENCES " + quote(name) + " (" + quoteAll(refs) + ")"
	if k.Name != "" {
		sql = "CONSTRAINT " + quote(k.Name) + " " + sql
	}
	if k.OnDelete != "" {
		sql += " ON DELETE " + string(k.OnDelete)
	}
	if k.OnUpdate != "" {
		sql += " ON UPDATE " + string(k.OnUpdate)
	}
	switch k.Deferrable {
	case database.Deferrable:
		sql += " DEFERRABLE"
	case database.InitiallyDeferred:
		sql += " DEFERRABLE INITIALLY DEFERRED"
	}
	switch {
	case k.MatchFull:
		m.approximated(id, "DB132", "SQLite has no MATCH FULL")
	case k.NotValid:
		m.approximated(id, "DB132", "SQLite has no NOT VALID")
	default:
		m.exact(id)
	}
	return []string{sql}
}

func (m *mapper) find(k *database.ForeignKey) *database.Table {
	for _, t := range m.source.Tables {
		if t.Name == k.RefTable && t.Schema == k.RefSchema {
			return t
		}
	}
	return nil
}

// keysAndIndexes plans what is built after the rows.
func (m *mapper) keysAndIndexes(src *database.Table) {
	l := m.tables[src.ID()]
	for _, k := range src.Uniques {
		columns := m.mapped(src.ID(), k.Columns)
		l.planned.Target.Uniques = append(l.planned.Target.Uniques, &database.Key{Columns: columns})
		name := k.Name
		if name == "" {
			name = l.name + "_" + strings.Join(columns, "_") + "_key"
		}
		m.late(src.Part("unique", k.Name), "CREATE UNIQUE INDEX "+quote(m.relations.take(name))+" ON "+quote(l.name)+" ("+quoteAll(columns)+")")
		m.keyFinding(src, "unique", k)
	}
	for _, x := range src.Indexes {
		m.index(src, l, x)
	}
}

func (m *mapper) late(id database.ObjectID, sql string) {
	m.layout.late = append(m.layout.late, lateObject{id: id, sql: sql})
}

func (m *mapper) index(src *database.Table, l *tableLayout, x *database.Index) {
	id := src.Part("index", x.Name)
	if x.Method != "" && x.Method != "hash" {
		m.finding(id, database.SidecarOnly, "DB114", "SQLite has no index of kind "+x.Method)
		return
	}
	var parts []string
	approximate := len(x.Include) > 0 || x.Method != "" || x.NullsNotDistinct
	for _, part := range x.Parts {
		sql, ok := m.indexPart(src, part)
		if !ok || x.Unique && part.Prefix > 0 {
			m.finding(id, database.SidecarOnly, "DB114", "its expression has no counterpart")
			return
		}
		approximate = approximate || part.Prefix > 0
		parts = append(parts, sql)
	}
	sql := "CREATE INDEX "
	if x.Unique {
		sql = "CREATE UNIQUE INDEX "
	}
	sql += quote(m.relations.take(x.Name)) + " ON " + quote(l.name) + " (" + strings.Join(parts, ", ") + ")"
	if x.Where != nil {
		where, ok := database.Translate(*x.Where, database.SQLite, m.reference(src, comparable))
		if !ok {
			m.finding(id, database.SidecarOnly, "DB114", "its condition has no counterpart")
			return
		}
		sql += " WHERE " + where
	}
	m.late(id, sql)
	if approximate {
		m.approximated(id, "DB115", "SQLite has neither prefixes, INCLUDE nor other kinds of index; the plain columns are indexed")
		return
	}
	m.exact(id)
}

func (m *mapper) indexPart(src *database.Table, part database.IndexPart) (string, bool) {
	sql, ok := quote(m.columns[src.ID()][part.Column]), true
	if part.Expr != nil {
		sql, ok = database.Translate(*part.Expr, database.SQLite, m.reference(src, comparable))
	}
	if part.Desc {
		sql += " DESC"
	}
	return sql, ok
}

// implied reports what other words already say: the default of a column that
// counts by itself, and the schema that needs no name here.
func (m *mapper) implied() {
	counting := map[database.ObjectID]bool{}
	for _, l := range m.layout.tables {
		if k := l.planned.Source.PrimaryKey; l.counter != nil && k != nil {
			counting[l.planned.Source.Part("default", k.Columns[0])] = true
		}
	}
	for _, o := range m.source.Objects {
		if counting[o.ObjectID] || o.Kind == "schema" && o.Name == m.source.Namespace {
			m.exact(o.ObjectID)
		}
	}
}

// freeSequences reports counters. One behind an INTEGER PRIMARY KEY counts in
// SQLite too; any other is kept beside the data.
func (m *mapper) freeSequences() {
	counting := map[string]bool{}
	for _, l := range m.layout.tables {
		if l.counter != nil {
			counting[l.counter.ID()] = true
		}
	}
	for _, q := range m.source.Sequences {
		id := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
		switch {
		case !counting[q.ID()]:
			m.finding(id, database.SidecarOnly, "DB117", "its state is kept beside the data")
		case q.Increment != 1:
			m.approximated(id, "DB117", fmt.Sprintf("SQLite counts by 1, not by %d", q.Increment))
		default:
			m.exact(id)
		}
	}
}

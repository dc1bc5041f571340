package postgres

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// targetSchema is where a schema of another engine goes.
func targetSchema(s *database.Schema, schema string) string {
	if schema == "" || schema == s.Namespace {
		return "public"
	}
	return schema
}

// mapper builds a plan from the neutral schema.
type mapper struct {
	source *database.Schema
	opts   database.PlanOptions
	plan   *database.Plan
	detail *plan
	used   map[string]bool // names of relations and types, by schema
	late   []statement     // foreign keys, after all other keys
}

func mappedPlan(s *database.Schema, opts database.PlanOptions) *database.Plan {
	m := &mapper{
		source: s, opts: opts, detail: &plan{}, used: map[string]bool{},
		plan: &database.Plan{Source: s, Loaders: 1},
	}
	m.plan.Detail = m.detail
	schemas := map[string]bool{"public": true}
	for _, t := range s.Tables {
		schema := targetSchema(s, t.Schema)
		if !schemas[schema] {
			schemas[schema] = true
			m.create(database.ObjectID{Kind: "schema", Name: schema}, "CREATE SCHEMA "+quote(schema))
		}
		m.used[schema+"."+t.Name] = true
	}
	for _, q := range s.Sequences {
		if q.OwnerTable == "" {
			m.sequence(q)
		}
	}
	for _, t := range s.Tables {
		m.table(t)
	}
	m.detail.finish = append(m.detail.finish, m.late...)
	m.implied(schemas)
	return m.plan
}

// implied reports what other words already say: schemas, the default of a column that counts by
// itself, and comments.
func (m *mapper) implied(schemas map[string]bool) {
	said := map[database.ObjectID]bool{}
	for _, t := range m.source.Tables {
		if t.Comment != "" {
			said[named("comment", "", "table "+t.ID())] = true
		}
		for _, c := range t.Columns {
			if c.Identity != nil && c.Type.Kind == database.Int {
				said[t.Part("default", c.Name)] = true
			}
			if c.Comment != "" {
				said[named("comment", "", "table column "+t.ID()+"."+c.Name)] = true
			}
		}
	}
	for _, o := range m.source.Objects {
		if said[o.ObjectID] || o.Kind == "schema" && (schemas[o.Name] || o.Name == m.source.Namespace) {
			m.exact(o.ObjectID)
		}
	}
}

func (m *mapper) create(id database.ObjectID, sql string) {
	m.detail.create = append(m.detail.create, statement{object: id, sql: sql, vital: true})
}

func (m *mapper) finish(id database.ObjectID, sql string) {
	m.detail.finish = append(m.detail.finish, statement{object: id, sql: sql, vital: true})
}

func (m *mapper) finding(id database.ObjectID, status database.Status, code database.Code, reason string) {
	m.plan.Findings = append(m.plan.Findings, database.Finding{Object: id, Status: status, Code: code, Reason: reason})
}

func (m *mapper) exact(id database.ObjectID) { m.finding(id, database.Exact, "", "") }

// unique makes a name of a relation that the schema does not have yet, within
// PostgreSQL's 63 bytes.
func (m *mapper) unique(schema, name string) string {
	name = shorten(name, 63)
	for i := 2; m.used[schema+"."+name]; i++ {
		suffix := fmt.Sprintf("_%d", i)
		name = shorten(name, 63-len(suffix)) + suffix
	}
	m.used[schema+"."+name] = true
	return name
}

func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	for limit > 0 && !utf8.RuneStart(name[limit]) {
		limit--
	}
	return name[:limit]
}

func (m *mapper) sequence(q *database.Sequence) {
	schema := targetSchema(m.source, q.Schema)
	m.used[schema+"."+q.Name] = true
	id := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
	s := sequence{Schema: schema, Name: q.Name, Type: "bigint", Start: q.Start, Increment: q.Increment, Min: q.Min, Max: q.Max, Cache: max(q.Cache, 1), Cycle: q.Cycle}
	m.create(id, sequenceDDL(&s))
	m.exact(id)
}

// table plans a table: itself, then keys, checks, indexes and foreign keys.
func (m *mapper) table(src *database.Table) {
	if src.Role != database.Data {
		m.plan.Tables = append(m.plan.Tables, &database.PlannedTable{Source: src, Target: src})
		return
	}
	t := &database.Table{Schema: targetSchema(m.source, src.Schema), Name: shorten(src.Name, 63), Order: src.Order}
	p := &database.PlannedTable{Source: src, Target: t}
	var columns []string
	for _, c := range src.Columns {
		columns = append(columns, m.column(p, c))
	}
	m.create(src.ObjectID(), "CREATE TABLE "+qualified(t.Schema, t.Name)+" (\n    "+strings.Join(columns, ",\n    ")+"\n)")
	m.exact(src.ObjectID())
	m.plan.Tables = append(m.plan.Tables, p)
	m.keys(src, t)
	m.checks(src, t)
	for _, x := range src.Indexes {
		m.index(src, t, x)
	}
	for _, k := range src.ForeignKeys {
		m.foreignKey(src, t, k)
	}
	m.tableComments(src, t)
}

func (m *mapper) column(p *database.PlannedTable, c *database.Column) string {
	notNull := c.NotNull && !m.loosens(p.Source, c)
	if notNull != c.NotNull {
		m.finding(p.Source.Part("column", c.Name), database.Approximated, "DB118", "null is allowed, for impossible dates")
	}
	enum := qualified(p.Target.Schema, shorten(p.Target.Name+"_"+c.Name, 63))
	typ := mapType(c.Type, m.source.Engine, enum, notNull, m.opts)
	if c.Type.Kind == database.Enum && typ.sql == enum {
		m.create(p.Source.Part("column", c.Name), "CREATE TYPE "+enum+" AS ENUM ("+literals(c.Type.Values)+")")
	}
	if typ.lost != "" {
		m.finding(p.Source.Part("column", c.Name), database.Approximated, "DB110", typ.lost)
	}
	out := &database.Column{Name: c.Name, Type: typ.typ, NotNull: notNull}
	out.Type.Native = typ.sql
	sql := quote(c.Name) + " " + typ.sql + m.columnExtras(p, c, out, typ)
	p.Target.Columns = append(p.Target.Columns, out)
	p.Convert = append(p.Convert, typ.convert)
	if notNull {
		sql += " NOT NULL"
	}
	return sql
}

// loosens says that a column must allow null for MySQL's impossible dates.
func (m *mapper) loosens(t *database.Table, c *database.Column) bool {
	if m.opts.ZeroDates != database.ZeroDatesLoosen || database.Family(m.source.Engine) != database.MySQL {
		return false
	}
	inKey := t.PrimaryKey != nil && strings.Contains("\x00"+strings.Join(t.PrimaryKey.Columns, "\x00")+"\x00", "\x00"+c.Name+"\x00")
	switch c.Type.Kind {
	case database.Date, database.Timestamp, database.TimestampTZ:
		return !inKey
	}
	return false
}

// columnExtras is what stands after the type: identity, default or expression.
func (m *mapper) columnExtras(p *database.PlannedTable, c, out *database.Column, typ mapped) string {
	switch {
	case c.Identity != nil && typ.typ.Kind != database.Int:
		m.finding(p.Source.Part("column", c.Name), database.Approximated, "DB119", "it does not count by itself: no type that counts has room for its values")
	case c.Identity != nil:
		return m.identity(c, out)
	case c.Generated != nil:
		sql, ok := database.Translate(c.Generated.Expr, database.Postgres, nil)
		if !ok || typ.convert != nil {
			m.finding(p.Source.Part("column", c.Name), database.Approximated, "DB111", "a generated column becomes a plain one that holds the values")
			return ""
		}
		out.Generated = &database.Generated{Expr: expr(sql), Stored: true}
		return " GENERATED ALWAYS AS (" + sql + ") STORED"
	case c.Default != nil:
		id := p.Source.Part("default", c.Name)
		if sql, ok := defaultSQL(*c.Default, typ.typ); ok {
			m.exact(id)
			return " DEFAULT " + sql
		}
		m.finding(id, database.Dropped, "DB112", "the default "+c.Default.SQL+" has no counterpart")
	}
	return ""
}

func (m *mapper) identity(c, out *database.Column) string {
	how := "BY DEFAULT"
	if c.Identity.Always {
		how = "ALWAYS"
	}
	out.Identity = c.Identity
	options := ""
	if q := m.source.Sequence(c.Identity.Sequence); q != nil {
		m.exact(database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name})
		options = fmt.Sprintf(" (INCREMENT BY %d MINVALUE %d START WITH %d)", q.Increment, min(q.Min, q.Start), q.Start)
	}
	return " GENERATED " + how + " AS IDENTITY" + options
}

// defaultSQL spells a literal or the current time as a default.
func defaultSQL(e database.Expr, t database.Type) (string, bool) {
	if e.IsNow() {
		return "CURRENT_TIMESTAMP", t.Kind == database.Timestamp || t.Kind == database.TimestampTZ || t.Kind == database.Date
	}
	c, ok := e.Literal()
	if !ok {
		sql, ok := database.Translate(e, database.Postgres, nil)
		return sql, ok && t.Kind == database.Text
	}
	switch {
	case c.Class == database.ClassNull:
		return "NULL", true
	case c.Class == database.ClassInt && t.Kind == database.Bool:
		return fmt.Sprint(c.Int != 0), true
	case c.Class == database.ClassInt && t.Kind != database.Text:
		return fmt.Sprint(c.Int), t.Kind == database.Int || t.Kind == database.Decimal || t.Kind == database.Float || t.Kind == database.Year
	case c.Class == database.ClassInt:
		return literal(fmt.Sprint(c.Int)), true
	}
	text := string(c.Bytes)
	if database.ImpossibleDate(text) && (t.Kind == database.Date || t.Kind == database.Timestamp || t.Kind == database.TimestampTZ) {
		return "", false
	}
	return literal(text), t.Kind != database.Bytes && t.Kind != database.Interval
}

func literals(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = literal(v)
	}
	return strings.Join(out, ", ")
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

func deferral(d database.Deferral) string {
	switch d {
	case database.Deferrable:
		return " DEFERRABLE"
	case database.InitiallyDeferred:
		return " DEFERRABLE INITIALLY DEFERRED"
	}
	return ""
}

func (m *mapper) keys(src, t *database.Table) {
	add := func(kind, words string, k *database.Key) {
		name := k.Name
		if name == "" || name == "PRIMARY" {
			name = t.Name + "_" + map[string]string{"primary key": "pkey"}[kind]
			if kind == "unique" {
				name = t.Name + "_" + strings.Join(k.Columns, "_") + "_key"
			}
		}
		id := src.Part(kind, k.Name)
		if k.NullsNotDistinct {
			words += " NULLS NOT DISTINCT"
		}
		m.finish(id, "ALTER TABLE "+qualified(t.Schema, t.Name)+" ADD CONSTRAINT "+quote(m.unique(t.Schema, name))+" "+words+" ("+quoted(k.Columns)+")"+deferral(k.Deferrable))
		m.exact(id)
	}
	if t.PrimaryKey = src.PrimaryKey; src.PrimaryKey != nil {
		add("primary key", "PRIMARY KEY", src.PrimaryKey)
	}
	t.Uniques = src.Uniques
	for _, k := range src.Uniques {
		add("unique", "UNIQUE", k)
	}
}

func (m *mapper) checks(src, t *database.Table) {
	for i, k := range src.Checks {
		id := src.Part("check", k.Name)
		sql, ok := database.Translate(k.Expr, database.Postgres, m.reference(t))
		if !ok {
			m.finding(id, database.SidecarOnly, "DB113", "the condition has no counterpart: "+k.Expr.SQL)
			continue
		}
		name := k.Name
		if name == "" {
			name = fmt.Sprintf("%s_check%d", t.Name, i+1)
		}
		check := "ALTER TABLE " + qualified(t.Schema, t.Name) + " ADD CONSTRAINT " + quote(shorten(name, 63)) + " CHECK (" + sql + ")"
		if k.NotValid {
			check += " NOT VALID"
		}
		m.finish(id, check)
		m.exact(id)
	}
}

// reference quotes a column under its exact name; other dialects may write it
// in another case.
func (m *mapper) reference(t *database.Table) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, c := range t.Columns {
			if strings.EqualFold(c.Name, name) {
				return quote(c.Name), comparable(c.Type)
			}
		}
		return "", false
	}
}

// comparable types mean the same in comparisons on both sides.
func comparable(t database.Type) bool {
	switch t.Kind {
	case database.JSON, database.Bytes, database.Interval, database.Bool, database.Bits:
		return false
	}
	return true
}

func (m *mapper) index(src, t *database.Table, x *database.Index) {
	id := src.Part("index", x.Name)
	if x.Method != "" {
		m.finding(id, database.SidecarOnly, "DB114", "an index of kind "+x.Method+" has no counterpart")
		return
	}
	var parts []string
	prefix := false
	for _, part := range x.Parts {
		sql, ok := m.indexPart(t, part)
		if !ok {
			m.finding(id, database.SidecarOnly, "DB114", "its expression has no counterpart")
			return
		}
		prefix = prefix || part.Prefix > 0
		parts = append(parts, sql)
	}
	if x.Unique && prefix {
		m.finding(id, database.SidecarOnly, "DB114", "uniqueness of a prefix has no counterpart")
		return
	}
	create := "CREATE INDEX "
	if x.Unique {
		create = "CREATE UNIQUE INDEX "
	}
	sql := create + quote(m.unique(t.Schema, x.Name)) + " ON " + qualified(t.Schema, t.Name) + " (" + strings.Join(parts, ", ") + ")"
	if x.Where != nil {
		where, ok := database.Translate(*x.Where, database.Postgres, m.reference(t))
		if !ok {
			m.finding(id, database.SidecarOnly, "DB114", "its condition has no counterpart")
			return
		}
		sql += " WHERE " + where
	}
	m.finish(id, sql)
	if prefix {
		m.finding(id, database.Approximated, "DB115", "whole columns are indexed instead of prefixes")
		return
	}
	m.exact(id)
}

func (m *mapper) indexPart(t *database.Table, part database.IndexPart) (string, bool) {
	sql, ok := quote(part.Column), true
	if part.Expr != nil {
		sql, ok = database.Translate(*part.Expr, database.Postgres, m.reference(t))
		sql = "(" + sql + ")"
	} else if c := t.Column(part.Column); c == nil || c.Type.Kind == database.JSON {
		ok = false
	}
	if part.Desc {
		sql += " DESC"
	}
	return sql, ok
}

func (m *mapper) foreignKey(src, t *database.Table, k *database.ForeignKey) {
	id := src.Part("foreign key", k.Name)
	parent := m.parent(k)
	if parent == nil || !parent.HasKey(k.RefColumns) {
		m.finding(id, database.SidecarOnly, "DB116", "it does not refer to a unique key")
		return
	}
	schema := targetSchema(m.source, k.RefSchema)
	out := *k
	out.RefSchema = schema
	t.ForeignKeys = append(t.ForeignKeys, &out)
	name := ""
	if k.Name != "" {
		name = "CONSTRAINT " + quote(shorten(k.Name, 63)) + " "
	}
	sql := "ALTER TABLE " + qualified(t.Schema, t.Name) + " ADD " + name + "FOREIGN KEY (" + quoted(k.Columns) + ") REFERENCES " +
		qualified(schema, shorten(k.RefTable, 63)) + " (" + quoted(k.RefColumns) + ")"
	if k.MatchFull {
		sql += " MATCH FULL"
	}
	if k.OnDelete != "" {
		sql += " ON DELETE " + string(k.OnDelete)
	}
	if k.OnUpdate != "" {
		sql += " ON UPDATE " + string(k.OnUpdate)
	}
	sql += deferral(k.Deferrable)
	if k.NotValid {
		sql += " NOT VALID"
	}
	m.late = append(m.late, statement{object: id, sql: sql, vital: true})
	if k.NotValid && database.Family(m.source.Engine) == database.MySQL {
		m.finding(id, database.Approximated, "DB132", "rows without a parent, as in the source: it is NOT VALID")
		return
	}
	m.exact(id)
}

func (m *mapper) parent(k *database.ForeignKey) *database.Table {
	for _, t := range m.source.Tables {
		if t.Name == k.RefTable && t.Schema == k.RefSchema {
			return t
		}
	}
	return nil
}

func (m *mapper) tableComments(src, t *database.Table) {
	if src.Comment != "" {
		m.finish(src.ObjectID(), "COMMENT ON TABLE "+qualified(t.Schema, t.Name)+" IS "+literal(src.Comment))
	}
	for _, c := range src.Columns {
		if c.Comment != "" {
			m.finish(src.Part("column", c.Name), "COMMENT ON COLUMN "+qualified(t.Schema, t.Name)+"."+quote(c.Name)+" IS "+literal(c.Comment))
		}
	}
}

package sqlengine

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// Mapped is what a column's type becomes.
type Mapped struct {
	SQL     string // the type in DDL, with its collation
	Type    database.Type
	Convert *database.Conversion
	Lost    string // why it is not exact
	Check   string // a condition that goes with the type, on %s
}

// Asked is what a Dialect is told of a column whose type it maps.
type Asked struct {
	Column *database.Column
	Engine string // the source's
	Keyed  bool   // the column is part of a key, a unique index or a reference
	// Room is how many bytes the column may take there, if the engine has a bound
	// for all columns of a key together; 0: it has none.
	Room int
	Opts database.PlanOptions
}

// Dialect says how an engine spells what it is given. All fields are needed
// except where they say otherwise.
type Dialect struct {
	Engine string
	Names  NameRules
	// Namespace receives tables of the source's default schema; "" where an
	// engine knows one schema only.
	Namespace string
	// IndexNames says that names of indexes must be unique in a schema, not only
	// on their table.
	IndexNames bool
	Type       func(Asked) Mapped
	// Default spells a default for a column of this type.
	Default func(e database.Expr, t database.Type) (string, bool)
	// Identity is the clause for a counting column; q may be nil.
	Identity func(q *database.Sequence, always bool) string
	// Generated is what follows the column's name in place of a type; "" where
	// the engine has no such column.
	Generated func(typ, expr string, stored bool) string
	Sequence  func(name string, q *database.Sequence) string
	Schema    func(name string) string // nil: only one schema
	// Action spells ON DELETE and ON UPDATE; lost names what cannot be kept.
	Action func(onDelete, onUpdate database.Action) (clause, lost string)
	// Deferral says that constraints can be deferred.
	Deferral bool
	// NullsCollide says that a unique key takes only one null, so that the usual
	// kind needs an index over rows without nulls.
	NullsCollide bool
	// Filtered says that indexes may have a condition.
	Filtered bool
	Include  bool // indexes may include columns
	// Comment sets a comment; column is "" for the table's.
	Comment func(schema, table, column, text string) string
	// CommentMax is the longest comment, in what CommentLength counts.
	CommentMax    int
	CommentLength func(string) int
	// KeyBytes bounds the columns of a key together; 0: nothing does.
	KeyBytes int
	// IndexedOnce says that one list of columns has one index, a key's included.
	IndexedOnce bool
	// Large says that a type's values have no place in an index.
	Large func(sql string) bool
	// KeyWords is what stands between PRIMARY KEY or UNIQUE and the columns;
	// IndexWords what stands before INDEX; both natively only, nil: nothing.
	KeyWords, IndexWords func(t *database.Table, name string) string
	// IndexTail is what ends a native index; nil: nothing.
	IndexTail func(t *database.Table, name string) string
}

// Quote quotes a name.
func (d *Dialect) Quote(name string) string { return database.Quote(d.Engine, name) }

// Qualified quotes a name and its schema, if any.
func (d *Dialect) Qualified(schema, name string) string {
	if schema == "" {
		return d.Quote(name)
	}
	return d.Quote(schema) + "." + d.Quote(name)
}

func (d *Dialect) list(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = d.Quote(n)
	}
	return strings.Join(out, ", ")
}

// Statement makes one object, or part of it.
type Statement struct {
	Object database.ObjectID
	Phase  database.Phase
	SQL    string
	// Vital statements must succeed; another's failure is a finding.
	Vital bool
	// Instead is tried where a vital statement fails for a reason that the engine
	// knows to be its own limit; Lost says what is then missing.
	Instead, Lost string
}

// Builder makes the DDL of a schema.
type Builder struct {
	Dialect *Dialect
	Opts    database.PlanOptions
	// Native takes names, types and expressions as they are.
	Native bool

	Statements []Statement
	Findings   []database.Finding
	Tables     []*database.PlannedTable

	// Sequences names, qualified and quoted, what free sequences have become, by
	// their IDs in the source.
	Sequences map[string]string

	source    *database.Schema
	names     map[*database.Table]*tableNames
	large     map[string]bool   // columns that no index takes, by the table's ID and their name
	relations map[string]*Names // by schema
	indexes   map[string]*Names // by schema, or by table
	late      []Statement
}

// tableNames are what a table and its columns are called in the target.
type tableNames struct {
	schema, table string
	columns       map[string]string
}

// Build makes statements for all of a schema's tables and free sequences.
func (b *Builder) Build(s *database.Schema) {
	b.source = s
	b.names, b.large, b.Sequences = map[*database.Table]*tableNames{}, map[string]bool{}, map[string]string{}
	b.relations, b.indexes = map[string]*Names{}, map[string]*Names{}
	for _, t := range s.Tables {
		b.name(t)
	}
	b.schemas()
	for _, q := range s.Sequences {
		if q.OwnerTable == "" {
			b.sequence(q)
		}
	}
	for _, t := range s.Tables {
		b.table(t)
	}
	b.Statements = append(b.Statements, b.late...)
}

func (b *Builder) schemas() {
	if b.Dialect.Schema == nil {
		return
	}
	done := map[string]bool{b.Dialect.Namespace: true}
	make := func(from string) {
		name, _ := b.place(from)
		if done[name] {
			return
		}
		done[name] = true
		id := database.ObjectID{Kind: "schema", Name: from}
		b.add(id, database.BeforeTables, b.Dialect.Schema(name))
		b.renamed(id, from, name)
	}
	for _, t := range b.source.Tables {
		make(t.Schema)
	}
	for _, q := range b.source.Sequences {
		if q.OwnerTable == "" {
			make(q.Schema)
		}
	}
}

// place says where a schema's objects go and what their names begin with.
func (b *Builder) place(schema string) (to, prefix string) {
	switch {
	case b.Native:
		return schema, ""
	case schema == "" || schema == b.source.Namespace:
		return b.Dialect.Namespace, ""
	case b.Dialect.Schema == nil:
		return b.Dialect.Namespace, schema + "__"
	}
	return b.Dialect.Names.Legal(schema), ""
}

func (b *Builder) relation(schema, name string) string {
	if b.Native {
		return name
	}
	return b.set(b.relations, schema).Unique(name)
}

func (b *Builder) set(sets map[string]*Names, key string) *Names {
	if sets[key] == nil {
		sets[key] = NewNames(b.Dialect.Names)
	}
	return sets[key]
}

func (b *Builder) name(t *database.Table) {
	schema, prefix := b.place(t.Schema)
	n := &tableNames{schema: schema, table: b.relation(schema, prefix+t.Name), columns: map[string]string{}}
	b.names[t] = n
	columns := NewNames(b.Dialect.Names)
	for _, c := range t.Columns {
		if n.columns[c.Name] = c.Name; !b.Native {
			n.columns[c.Name] = columns.Unique(c.Name)
		}
	}
}

func (b *Builder) add(id database.ObjectID, phase database.Phase, sql string) {
	b.Statements = append(b.Statements, Statement{Object: id, Phase: phase, SQL: sql, Vital: !plainIndex(id, sql)})
}

func (b *Builder) finding(id database.ObjectID, status database.Status, code, reason string) {
	b.Findings = append(b.Findings, database.Finding{Object: id, Status: status, Code: code, Reason: reason})
}

func (b *Builder) exact(id database.ObjectID) { b.finding(id, database.Exact, "", "") }

// renamed reports an object that could not keep its name.
func (b *Builder) renamed(id database.ObjectID, from, to string) {
	if from == to {
		b.exact(id)
		return
	}
	b.finding(id, database.Approximated, "DB117", fmt.Sprintf("its name %q cannot be used (names have at most %d, must differ%s) and becomes %q",
		from, b.Dialect.Names.Max, foldWords(b.Dialect.Names.Fold), to))
}

func foldWords(fold bool) string {
	if fold {
		return " in more than case"
	}
	return ""
}

func (b *Builder) sequence(q *database.Sequence) {
	schema, prefix := b.place(q.Schema)
	name := b.relation(schema, prefix+q.Name)
	id := database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name}
	b.Sequences[q.ID()] = b.Dialect.Qualified(schema, name)
	b.add(id, database.BeforeTables, b.Dialect.Sequence(b.Sequences[q.ID()], q))
	b.renamed(id, q.Name, name)
}

func (b *Builder) table(src *database.Table) {
	n := b.names[src]
	t := &database.Table{Schema: n.schema, Name: n.table, Role: src.Role, Order: b.rename(n, src.Order)}
	p := &database.PlannedTable{Source: src, Target: t}
	b.Tables = append(b.Tables, p)
	var lines []string
	for _, c := range src.Columns {
		lines = append(lines, b.column(p, c))
	}
	id := src.ObjectID()
	b.add(id, database.Tables, "CREATE TABLE "+b.Dialect.Qualified(n.schema, n.table)+" (\n    "+strings.Join(lines, ",\n    ")+"\n)")
	b.renamed(id, src.Name, n.table)
	b.comments(src)
	b.keys(src, t)
	b.checks(src, t)
	for _, x := range src.Indexes {
		b.index(src, t, x)
	}
	for _, k := range src.ForeignKeys {
		b.foreignKey(src, t, k)
	}
}

func (b *Builder) rename(n *tableNames, columns []string) []string {
	if columns == nil {
		return nil
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = n.columns[c]
	}
	return out
}

func (b *Builder) column(p *database.PlannedTable, c *database.Column) string {
	name := b.names[p.Source].columns[c.Name]
	id := p.Source.Part("column", c.Name)
	typ := Mapped{SQL: c.Type.Native, Type: c.Type}
	if !b.Native {
		typ = b.Dialect.Type(Asked{
			Column: c, Engine: b.source.Engine, Keyed: keyed(p.Source, c.Name), Room: room(p.Source, c.Name, b.Dialect.KeyBytes), Opts: b.Opts,
		})
		typ.Type.Native = typ.SQL
		b.large[p.Source.ID()+"\x00"+c.Name] = b.Dialect.Large(typ.SQL)
	}
	if name != c.Name {
		b.renamed(id, c.Name, name)
	}
	if typ.Lost != "" {
		b.finding(id, database.Approximated, "DB110", typ.Lost)
	}
	out := &database.Column{Name: name, Type: typ.Type, NotNull: c.NotNull}
	p.Target.Columns = append(p.Target.Columns, out)
	p.Convert = append(p.Convert, typ.Convert)
	if typ.Check != "" {
		b.late = append(b.late, Statement{Object: id, Phase: database.AfterData, Vital: true,
			SQL: "ALTER TABLE " + b.Dialect.Qualified(p.Target.Schema, p.Target.Name) + " ADD CHECK (" + fmt.Sprintf(typ.Check, b.Dialect.Quote(name)) + ")"})
	}
	return b.Dialect.Quote(name) + " " + b.definition(p, c, out, typ)
}

// definition is all that follows a column's name.
func (b *Builder) definition(p *database.PlannedTable, c, out *database.Column, typ Mapped) string {
	if c.Generated != nil {
		if sql, ok := b.generated(p, c, out, typ); ok {
			return sql
		}
	}
	sql := typ.SQL
	switch {
	case c.Identity != nil && !b.Native && counter(p.Source) != c:
		b.finding(p.Source.Part("column", c.Name), database.Approximated, "DB121", "it does not count by itself: one column of a table can")
	case c.Identity != nil:
		sql += b.identity(c, out)
	case c.Default != nil:
		sql += b.defaultOf(p, c, out)
	}
	if c.NotNull {
		sql += " NOT NULL"
	}
	return sql
}

func (b *Builder) generated(p *database.PlannedTable, c, out *database.Column, typ Mapped) (string, bool) {
	expr, ok := b.expression(p.Source, c.Generated.Expr)
	if ok && (b.Native || typ.Convert == nil) {
		if sql := b.Dialect.Generated(typ.SQL, expr, c.Generated.Stored); sql != "" {
			out.Generated = &database.Generated{Expr: database.Expr{Engine: b.Dialect.Engine, SQL: expr}, Stored: c.Generated.Stored}
			return sql, true
		}
	}
	b.finding(p.Source.Part("column", c.Name), database.Approximated, "DB111", "a generated column becomes a plain one that holds the values")
	return "", false
}

func (b *Builder) identity(c, out *database.Column) string {
	out.Identity = c.Identity
	q := b.source.Sequence(c.Identity.Sequence)
	if q != nil {
		b.exact(database.ObjectID{Kind: "sequence", Schema: q.Schema, Name: q.Name})
	}
	return b.Dialect.Identity(q, c.Identity.Always)
}

// counter is the column that counts where only one can: that of the primary key, else the first.
func counter(t *database.Table) *database.Column {
	var first *database.Column
	for _, c := range t.Columns {
		switch {
		case c.Identity == nil:
		case t.PrimaryKey != nil && slices.Contains(t.PrimaryKey.Columns, c.Name):
			return c
		case first == nil:
			first = c
		}
	}
	return first
}

func (b *Builder) defaultOf(p *database.PlannedTable, c, out *database.Column) string {
	id := p.Source.Part("default", c.Name)
	sql, ok := c.Default.SQL, true
	if !b.Native {
		sql, ok = b.Dialect.Default(*c.Default, out.Type)
	}
	if !ok {
		b.finding(id, database.Dropped, "DB112", "the default "+c.Default.SQL+" has no counterpart")
		return ""
	}
	b.exact(id)
	out.Default = &database.Expr{Engine: b.Dialect.Engine, SQL: sql}
	return " DEFAULT " + sql
}

// expression carries an expression over; natively it stays.
func (b *Builder) expression(t *database.Table, e database.Expr) (string, bool) {
	if b.Native {
		return e.SQL, true
	}
	return database.Translate(e, b.Dialect.Engine, func(name string) (string, bool) {
		for _, c := range t.Columns {
			if strings.EqualFold(c.Name, name) {
				return b.Dialect.Quote(b.names[t].columns[c.Name]), comparable(c.Type)
			}
		}
		return "", false
	})
}

// comparable types mean the same in comparisons on both sides.
func comparable(t database.Type) bool {
	switch t.Kind {
	case database.Bool, database.JSON, database.Bytes, database.Interval, database.Bits, database.Array, database.Other, database.Geometry:
		return false
	}
	return true
}

func (b *Builder) constraint(t *database.Table, name, otherwise string) string {
	switch {
	case b.Native:
		return name
	case name == "" || name == "PRIMARY":
		name = otherwise
	}
	if b.Dialect.IndexNames {
		// A key's index has the key's name.
		return b.set(b.indexes, t.Schema).Unique(name)
	}
	return b.relation(t.Schema, name)
}

func named(d *Dialect, name string) string {
	if name == "" {
		return ""
	}
	return "CONSTRAINT " + d.Quote(name) + " "
}

func (b *Builder) keys(src, t *database.Table) {
	n := b.names[src]
	if k := src.PrimaryKey; k != nil {
		t.PrimaryKey = &database.Key{Name: b.constraint(t, k.Name, t.Name+"_pk"), Columns: b.rename(n, k.Columns)}
		b.key(src, t, "primary key", "PRIMARY KEY", k, t.PrimaryKey)
	}
	for i, k := range src.Uniques {
		if b.Dialect.IndexedOnce && !b.Native && hasList(keyLists(src, i), k.Columns) {
			b.finding(src.Part("unique", k.Name), database.SidecarOnly, "DB114", "another key of the table says the same")
			continue
		}
		if b.Dialect.NullsCollide && !b.Native && !k.NullsNotDistinct && !b.referenced(src, k.Columns) && nullable(src, k.Columns) {
			b.uniqueIndex(src, t, k)
			continue
		}
		out := &database.Key{Name: b.constraint(t, k.Name, t.Name+"_"+strings.Join(k.Columns, "_")+"_uk"), Columns: b.rename(n, k.Columns), NullsNotDistinct: k.NullsNotDistinct}
		t.Uniques = append(t.Uniques, out)
		b.key(src, t, "unique", "UNIQUE", k, out)
	}
}

func (b *Builder) key(src, t *database.Table, kind, words string, k, out *database.Key) {
	id := src.Part(kind, k.Name)
	if b.Native && b.Dialect.KeyWords != nil {
		words += b.Dialect.KeyWords(src, k.Name)
	}
	sql := "ALTER TABLE " + b.Dialect.Qualified(t.Schema, t.Name) + " ADD " + named(b.Dialect, out.Name) + words + " (" + b.Dialect.list(out.Columns) + ")"
	b.add(id, database.AfterData, sql+b.deferral(k.Deferrable))
	switch {
	case k.Deferrable != "" && !b.Dialect.Deferral:
		b.finding(id, database.Approximated, "DB118", "the constraint cannot be deferred")
	case kind == "unique" && b.Dialect.NullsCollide != k.NullsNotDistinct && nullable(src, k.Columns):
		b.finding(id, database.Approximated, "DB119", "nulls are compared in another way")
	case k.Name != "" && k.Name != "PRIMARY":
		b.renamed(id, k.Name, out.Name)
	default:
		b.exact(id)
	}
}

func (b *Builder) deferral(d database.Deferral) string {
	if !b.Dialect.Deferral {
		return ""
	}
	switch d {
	case database.Deferrable:
		return " DEFERRABLE"
	case database.InitiallyDeferred:
		return " DEFERRABLE INITIALLY DEFERRED"
	}
	return ""
}

// uniqueIndex keeps a unique key whose nulls never collide on an engine where
// they would: as an index over the rows that have none.
func (b *Builder) uniqueIndex(src, t *database.Table, k *database.Key) {
	x := &database.Index{Name: k.Name, Unique: true}
	if x.Name == "" {
		x.Name = t.Name + "_" + strings.Join(k.Columns, "_") + "_uk"
	}
	var where []string
	for _, c := range k.Columns {
		x.Parts = append(x.Parts, database.IndexPart{Column: c})
		if found := src.Column(c); found != nil && !found.NotNull {
			where = append(where, b.Dialect.Quote(b.names[src].columns[c])+" IS NOT NULL")
		}
	}
	id := src.Part("unique", k.Name)
	sql := b.createIndex(t, b.indexName(t, x.Name), b.indexColumns(src, x), x, strings.Join(where, " AND "))
	b.add(id, database.AfterData, sql)
	b.exact(id)
}

// keyLists are the columns of the primary key and of the first unique keys.
func keyLists(t *database.Table, uniques int) [][]string {
	var out [][]string
	if t.PrimaryKey != nil {
		out = append(out, t.PrimaryKey.Columns)
	}
	for _, k := range t.Uniques[:uniques] {
		out = append(out, k.Columns)
	}
	return out
}

func hasList(lists [][]string, columns []string) bool {
	return slices.ContainsFunc(lists, func(list []string) bool { return slices.Equal(list, columns) })
}

// covered says that a key, or an index before it, has the columns of an index.
func covered(t *database.Table, x *database.Index) bool {
	columns := listOf(x)
	if columns == nil || hasList(keyLists(t, len(t.Uniques)), columns) {
		return columns != nil
	}
	for _, other := range t.Indexes {
		if other == x {
			return false
		}
		if slices.Equal(listOf(other), columns) {
			return true
		}
	}
	return false
}

// listOf are the columns of an index whose parts are columns in their order; nil if they are
// something else.
func listOf(x *database.Index) []string {
	var out []string
	for _, p := range x.Parts {
		if p.Expr != nil || p.Desc {
			return nil
		}
		out = append(out, p.Column)
	}
	return out
}

func nullable(t *database.Table, columns []string) bool {
	return slices.ContainsFunc(columns, func(name string) bool { c := t.Column(name); return c != nil && !c.NotNull })
}

// referenced says that a foreign key of any table refers to these columns.
func (b *Builder) referenced(parent *database.Table, columns []string) bool {
	for _, t := range b.source.Tables {
		for _, k := range t.ForeignKeys {
			if k.RefTable == parent.Name && k.RefSchema == parent.Schema && sameSet(k.RefColumns, columns) {
				return true
			}
		}
	}
	return false
}

func (b *Builder) checks(src, t *database.Table) {
	for _, k := range src.Checks {
		id := src.Part("check", k.Name)
		sql, ok := b.expression(src, k.Expr)
		if !ok {
			b.finding(id, database.SidecarOnly, "DB113", "the condition has no counterpart: "+k.Expr.SQL)
			continue
		}
		name := k.Name
		if !b.Native && name != "" {
			name = b.relation(t.Schema, name)
		}
		b.late = append(b.late, Statement{Object: id, Phase: database.AfterData, Vital: true,
			SQL: "ALTER TABLE " + b.Dialect.Qualified(t.Schema, t.Name) + b.unchecked(k.NotValid) + " ADD " + named(b.Dialect, name) + "CHECK (" + sql + ")" + b.novalidate(k.NotValid)})
		b.exact(id)
	}
}

// unchecked and novalidate spell that existing rows were not checked.
func (b *Builder) unchecked(notValid bool) string {
	if notValid && b.Dialect.Engine == database.SQLServer {
		return " WITH NOCHECK"
	}
	return ""
}

func (b *Builder) novalidate(notValid bool) string {
	if notValid && b.Dialect.Engine == database.Oracle {
		return " ENABLE NOVALIDATE"
	}
	return ""
}

func (b *Builder) indexName(t *database.Table, name string) string {
	if b.Native {
		return name
	}
	if b.Dialect.IndexNames {
		return b.set(b.indexes, t.Schema).Unique(name)
	}
	return b.set(b.indexes, t.ID()).Unique(name)
}

func (b *Builder) index(src, t *database.Table, x *database.Index) {
	id := src.Part("index", x.Name)
	if lost := b.indexLost(src, x); lost != "" {
		b.finding(id, database.SidecarOnly, "DB114", lost)
		return
	}
	where := ""
	if x.Where != nil {
		where, _ = b.expression(src, *x.Where)
	}
	name := b.indexName(t, x.Name)
	placed := *x
	placed.Include = b.rename(b.names[src], x.Include)
	b.add(id, database.AfterData, b.createIndex(t, name, b.indexColumns(src, x), &placed, where))
	switch {
	case slices.ContainsFunc(x.Parts, func(p database.IndexPart) bool { return p.Prefix > 0 }):
		b.finding(id, database.Approximated, "DB115", "whole columns are indexed instead of prefixes")
	case len(x.Include) > 0 && !b.Dialect.Include:
		b.finding(id, database.Approximated, "DB115", "the included columns are left out")
	default:
		b.renamed(id, x.Name, name)
	}
}

// indexLost says why an index cannot be built.
func (b *Builder) indexLost(src *database.Table, x *database.Index) string {
	if b.Native {
		return ""
	}
	if x.Method != "" {
		return "an index of kind " + x.Method + " has no counterpart"
	}
	if b.Dialect.IndexedOnce && covered(src, x) {
		return "a key or another index has the same columns"
	}
	for _, p := range x.Parts {
		if b.large[src.ID()+"\x00"+p.Column] {
			return "its column " + p.Column + " may be too long for an index"
		}
		if p.Expr != nil {
			if _, ok := b.expression(src, *p.Expr); !ok || b.Dialect.Engine == database.SQLServer {
				return "its expression has no counterpart"
			}
		}
		if p.Prefix > 0 && x.Unique {
			return "uniqueness of a prefix has no counterpart"
		}
	}
	if x.Where != nil {
		if _, ok := b.expression(src, *x.Where); !ok || !b.Dialect.Filtered {
			return "its condition has no counterpart"
		}
	}
	if x.Unique && b.Dialect.NullsCollide && !x.NullsNotDistinct && x.Where == nil && nullableIndex(src, x) {
		return "a unique index that takes many nulls has no counterpart"
	}
	return ""
}

func nullableIndex(t *database.Table, x *database.Index) bool {
	for _, p := range x.Parts {
		if c := t.Column(p.Column); c == nil || !c.NotNull {
			return true
		}
	}
	return false
}

func (b *Builder) indexColumns(src *database.Table, x *database.Index) []string {
	var parts []string
	for _, p := range x.Parts {
		sql := ""
		if p.Expr != nil {
			sql, _ = b.expression(src, *p.Expr)
		} else {
			sql = b.Dialect.Quote(b.names[src].columns[p.Column])
		}
		if p.Desc {
			sql += " DESC"
		}
		parts = append(parts, sql)
	}
	return parts
}

func (b *Builder) createIndex(t *database.Table, name string, parts []string, x *database.Index, where string) string {
	sql := "CREATE "
	if x.Unique {
		sql += "UNIQUE "
	}
	if b.Native && b.Dialect.IndexWords != nil {
		sql += b.Dialect.IndexWords(t, name)
	}
	qualified := b.Dialect.Quote(name)
	sql += "INDEX " + qualified + " ON " + b.Dialect.Qualified(t.Schema, t.Name) + " (" + strings.Join(parts, ", ") + ")"
	if len(x.Include) > 0 && b.Dialect.Include {
		sql += " INCLUDE (" + b.Dialect.list(x.Include) + ")"
	}
	if where != "" {
		sql += " WHERE " + where
	}
	if b.Native && b.Dialect.IndexTail != nil {
		sql += b.Dialect.IndexTail(t, name)
	}
	return sql
}

func (b *Builder) foreignKey(src, t *database.Table, k *database.ForeignKey) {
	id := src.Part("foreign key", k.Name)
	parent := b.parent(k)
	if !b.Native && (parent == nil || !parent.HasKey(k.RefColumns)) {
		b.finding(id, database.SidecarOnly, "DB116", "it does not refer to a unique key of a table that is copied")
		return
	}
	out := *k
	out.Columns = b.rename(b.names[src], k.Columns)
	if parent != nil {
		n := b.names[parent]
		out.RefSchema, out.RefTable, out.RefColumns = n.schema, n.table, b.rename(n, k.RefColumns)
	}
	if !b.Native && k.Name != "" {
		out.Name = b.relation(t.Schema, k.Name)
	}
	t.ForeignKeys = append(t.ForeignKeys, &out)
	b.late = append(b.late, b.reference(id, t, k, &out))
}

// reference makes the statement of a foreign key and its finding.
func (b *Builder) reference(id database.ObjectID, t *database.Table, k, out *database.ForeignKey) Statement {
	head := "ALTER TABLE " + b.Dialect.Qualified(t.Schema, t.Name) + b.unchecked(k.NotValid) + " ADD " + named(b.Dialect, out.Name) +
		"FOREIGN KEY (" + b.Dialect.list(out.Columns) + ") REFERENCES " + b.Dialect.Qualified(out.RefSchema, out.RefTable) + " (" + b.Dialect.list(out.RefColumns) + ")"
	clause, lost := b.Dialect.Action(k.OnDelete, k.OnUpdate)
	tail := b.deferral(k.Deferrable) + b.novalidate(k.NotValid)
	switch {
	case lost != "":
		b.finding(id, database.Approximated, "DB120", lost)
	case k.MatchFull:
		b.finding(id, database.Approximated, "DB120", "MATCH FULL becomes MATCH SIMPLE")
	case k.Deferrable != "" && !b.Dialect.Deferral:
		b.finding(id, database.Approximated, "DB118", "the constraint cannot be deferred")
	default:
		b.renamed(id, k.Name, out.Name)
	}
	s := Statement{Object: id, Phase: database.AfterData, Vital: true, SQL: head + clause + tail}
	if clause != "" {
		s.Instead, s.Lost = head+tail, "its actions cannot be kept: "+strings.TrimSpace(clause)
	}
	return s
}

func (b *Builder) parent(k *database.ForeignKey) *database.Table {
	for _, t := range b.source.Tables {
		if t.Name == k.RefTable && t.Schema == k.RefSchema {
			return t
		}
	}
	return nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// wholeLists are the lists of columns whose values must be whole in an index.
func wholeLists(t *database.Table) [][]string {
	out := keyLists(t, len(t.Uniques))
	for _, k := range t.ForeignKeys {
		out = append(out, k.Columns)
	}
	for _, x := range t.Indexes {
		if columns := listOf(x); x.Unique && x.Method == "" && columns != nil {
			out = append(out, columns)
		}
	}
	return out
}

// keyed says that a column is part of a key, a unique index or a reference.
func keyed(t *database.Table, column string) bool {
	return slices.ContainsFunc(wholeLists(t), func(list []string) bool { return slices.Contains(list, column) })
}

// room parts the bytes of a key evenly among its columns of no fixed size, and gives the column's
// least share.
func room(t *database.Table, column string, bytes int) int {
	share := 0
	for _, list := range wholeLists(t) {
		if !slices.Contains(list, column) {
			continue
		}
		long := 0
		for _, name := range list {
			if c := t.Column(name); c != nil && !fixed(c.Type) {
				long++
			}
		}
		part := (bytes - 24*(len(list)-long)) / max(long, 1)
		if share == 0 || part < share {
			share = part
		}
	}
	return max(share, 0)
}

// fixed types take at most 24 bytes.
func fixed(t database.Type) bool {
	switch t.Kind {
	case database.Bool, database.Int, database.Decimal, database.Float, database.Date, database.Time, database.Timestamp, database.TimestampTZ, database.Year:
		return true
	}
	return false
}

func (b *Builder) comments(src *database.Table) {
	n := b.names[src]
	add := func(id database.ObjectID, column, text string) {
		if text == "" {
			return
		}
		if short := b.cut(text); short != text {
			b.finding(id, database.Approximated, "DB122", "its comment is cut: the longest here has "+fmt.Sprint(b.Dialect.CommentMax))
			text = short
		}
		b.add(src.ObjectID(), database.Tables, b.Dialect.Comment(n.schema, n.table, column, text))
	}
	add(src.ObjectID(), "", src.Comment)
	for _, c := range src.Columns {
		add(src.Part("column", c.Name), n.columns[c.Name], c.Comment)
	}
}

// cut shortens a comment to what the engine keeps.
func (b *Builder) cut(text string) string {
	for b.Dialect.CommentLength(text) > b.Dialect.CommentMax {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

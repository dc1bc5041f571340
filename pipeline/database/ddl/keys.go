package ddl

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// named is the beginning of a constraint that has a name.
func (m *mapper) named(name string) string {
	if name == "" {
		return ""
	}
	return "CONSTRAINT " + m.Quote(name) + " "
}

// nameOf gives a part of a table its name, and says what was changed of it.
func (m *mapper) nameOf(spaces []Space, t *database.Table, name, otherwise string) (string, database.Finding) {
	if m.native || spaces == nil {
		return name, database.Finding{}
	}
	in := spacesOf(spaces, t.Schema, t.Name)
	if name == "" || strings.EqualFold(name, "PRIMARY") {
		return m.name(in, otherwise), database.Finding{}
	}
	got := m.name(in, name)
	return got, m.renaming(name, got)
}

func (m *mapper) deferral(d database.Deferral, can bool) (sql string, lost database.Finding) {
	if d == database.Immediate {
		return "", lost
	}
	if !can {
		return "", weaker(database.CodeNotDeferred, "it is checked at once: it cannot be deferred here")
	}
	if d == database.InitiallyDeferred {
		return " DEFERRABLE INITIALLY DEFERRED", lost
	}
	return " DEFERRABLE", lost
}

// nulls is how a key of several columns says that nulls are equal, and what is lost where it
// cannot.
func (m *mapper) nulls(src *database.Table, k *database.Key) (sql string, lost database.Finding) {
	switch {
	case m.Nulls == NullsChosen && k.NullsNotDistinct:
		return " NULLS NOT DISTINCT", lost
	case m.Nulls == NullsChosen || m.native || !nullable(src, k.Columns):
	case m.Nulls == NullsDiffer && k.NullsNotDistinct:
		lost = weaker(database.CodeNullsDiffer, "nulls are distinct here, so several rows may have one")
	case m.Nulls == NullsCollide && !k.NullsNotDistinct:
		lost = weaker(database.CodeNullsDiffer, "nulls are equal here, so one row may have one")
	}
	return "", lost
}

// keys makes the primary key and unique keys; lines are those that stand in CREATE TABLE.
func (m *mapper) keys(d *Draft) (lines []string) {
	src := d.Source
	switch k := src.PrimaryKey; {
	case k == nil:
	case m.holdsNulls(src):
		lost := weaker(database.CodeKeyNulls, "it holds nulls, and becomes a unique key")
		lines = append(lines, m.unique(d, src.Part("primary key", k.Name), k, lost)...)
	default:
		lines = append(lines, m.primary(d, k)...)
	}
	for i, k := range src.Uniques {
		id := src.Part("unique", k.Name)
		switch {
		case m.IndexedOnce && !m.native && hasList(keyLists(src, i), k.Columns):
			m.settle(id, aside(database.CodeIndexLost, "another key of the table says the same"))
		case m.Nulls == NullsCollide && !m.native && !k.NullsNotDistinct && !m.referenced(src, k.Columns) && nullable(src, k.Columns):
			m.uniqueIndex(d, k)
		default:
			lines = append(lines, m.unique(d, id, k, database.Finding{})...)
		}
	}
	return lines
}

func (m *mapper) primary(d *Draft, k *database.Key) (lines []string) {
	src, t := d.Source, d.Target
	id := src.Part("primary key", k.Name)
	t.PrimaryKey = &database.Key{Columns: d.renamed(k.Columns)}
	deferral, undeferred := m.deferral(k.Deferrable, m.KeyDeferral)
	if m.Inline {
		if !slices.ContainsFunc(d.Types, func(to Mapped) bool { return to.Key }) {
			lines = append(lines, "PRIMARY KEY ("+m.keyParts(d, k.Columns)+")")
		}
		m.settle(id, undeferred)
		return lines
	}
	name, renamed := m.nameOf(m.Spaces.Keys, t, k.Name, derived(t, nil, "pkey"))
	t.PrimaryKey.Name = name
	m.statements = append(m.statements, m.alter(id, t, m.named(name)+"PRIMARY KEY"+m.keyWords(src, k.Name)+" ("+m.list(t.PrimaryKey.Columns)+")"+deferral))
	m.settle(id, renamed, undeferred)
	return nil
}

func (m *mapper) keyWords(t *database.Table, name string) string {
	if !m.native || m.KeyWords == nil {
		return ""
	}
	return m.KeyWords(t, name)
}

// keyParts lists whole columns, or as much of them as a key takes.
func (m *mapper) keyParts(d *Draft, columns []string) string {
	parts := make([]string, len(columns))
	for i, name := range columns {
		parts[i] = m.Quote(d.names[name])
		if m.Prefix != nil {
			clause, _ := m.Prefix(*d.Column(name), -1, len(columns))
			parts[i] += clause
		}
	}
	return strings.Join(parts, ", ")
}

// holdsNulls says that a primary key holds nulls, as SQLite's may.
func (m *mapper) holdsNulls(t *database.Table) bool {
	return !m.native && m.Engine != database.SQLite && m.source.Engine == database.SQLite && nullable(t, t.PrimaryKey.Columns)
}

func (m *mapper) unique(d *Draft, id database.ObjectID, k *database.Key, lost database.Finding) (lines []string) {
	src, t := d.Source, d.Target
	out := &database.Key{Columns: d.renamed(k.Columns), NullsNotDistinct: k.NullsNotDistinct}
	t.Uniques = append(t.Uniques, out)
	spaces := m.Spaces.Keys
	if m.Uniques != AsConstraint {
		spaces = m.Spaces.Indexes
	}
	name, renamed := m.nameOf(spaces, t, k.Name, derived(t, out.Columns, "key"))
	out.Name = name
	nulls, differ := m.nulls(src, k)
	deferral, undeferred := m.deferral(k.Deferrable, m.KeyDeferral)
	m.settle(id, renamed, differ, undeferred, lost)
	switch m.Uniques {
	case AsIndex:
		m.add(id, database.AfterData, "CREATE UNIQUE INDEX "+m.Quote(name)+" ON "+m.Qualified(t.Schema, t.Name)+" ("+m.list(out.Columns)+")")
	case AsKey:
		return m.addKey(d, id, k.Columns, "UNIQUE KEY "+m.Quote(name)+" ("+m.keyParts(d, k.Columns)+")")
	default:
		m.statements = append(m.statements, m.alter(id, t, m.named(name)+"UNIQUE"+nulls+m.keyWords(src, k.Name)+" ("+m.list(out.Columns)+")"+deferral))
	}
	return nil
}

// addKey adds a key after the rows, or at once where the table's counter needs it.
func (m *mapper) addKey(d *Draft, id database.ObjectID, columns []string, what string) (lines []string) {
	primary := d.Source.PrimaryKey
	if counter := m.keyedCounter(d); counter != "" && columns[0] == counter && (primary == nil || primary.Columns[0] != counter) {
		return []string{what}
	}
	m.statements = append(m.statements, m.alter(id, d.Target, what))
	return nil
}

// uniqueIndex keeps a unique key whose nulls never collide on an engine where
// they would: as an index over the rows that have none.
func (m *mapper) uniqueIndex(d *Draft, k *database.Key) {
	src, t := d.Source, d.Target
	x := &database.Index{Unique: true}
	var where []string
	for _, c := range k.Columns {
		x.Parts = append(x.Parts, database.IndexPart{Column: c})
		if found := src.Column(c); found != nil && !found.NotNull {
			where = append(where, m.Quote(d.names[c])+" IS NOT NULL")
		}
	}
	name, renamed := m.nameOf(m.Spaces.Indexes, t, k.Name, derived(t, d.renamed(k.Columns), "key"))
	parts, _, _ := m.indexParts(d, x)
	id := src.Part("unique", k.Name)
	m.add(id, database.AfterData, m.createIndex(d, name, parts, x, " WHERE "+strings.Join(where, " AND ")))
	m.settle(id, renamed)
}

// checks makes conditions; lines are those that stand in CREATE TABLE.
func (m *mapper) checks(d *Draft) (lines []string) {
	for _, k := range d.Source.Checks {
		id := d.Source.Part("check", k.Name)
		sql, ok := m.expression(d, k.Expr, m.compares)
		if !ok || k.NotValid && m.NotValid == nil && !m.Lenient {
			m.settle(id, aside(database.CodeCheckLost, "the condition is not enforced here, since it has no counterpart: "+k.Expr.SQL))
			continue
		}
		name, renamed := m.nameOf(m.Spaces.Checks, d.Target, k.Name, derived(d.Target, nil, "check"))
		what := m.named(name) + "CHECK (" + sql + ")"
		m.settle(id, renamed)
		if m.Inline {
			lines = append(lines, what)
			d.Checks = append(d.Checks, Clause{Object: id, Condition: sql, SQL: what})
			continue
		}
		m.late = append(m.late, m.unchecked(m.alter(id, d.Target, what), d.Target, k.NotValid))
	}
	return lines
}

// unchecked says of a constraint that existing rows were not checked.
func (m *mapper) unchecked(s Statement, t *database.Table, notValid bool) Statement {
	if !notValid || m.NotValid == nil {
		return s
	}
	s.Adds += m.NotValid[1]
	s.SQL = "ALTER TABLE " + m.Qualified(t.Schema, t.Name) + m.NotValid[0] + " ADD " + s.Adds
	return s
}

// foreignKey makes a foreign key, or the line of it that stands in CREATE TABLE.
func (m *mapper) foreignKey(d *Draft, k *database.ForeignKey) (lines []string) {
	id := d.Source.Part("foreign key", k.Name)
	parent := m.find(k.RefSchema, k.RefTable)
	outside := m.outside(k)
	switch {
	case m.native:
	case parent == nil && outside != nil:
	case parent == nil && m.Around != nil:
		m.settle(id, database.Finding{Status: database.Dropped, Code: database.CodeForeignKeyLost, Reason: "the table that it refers to is not there, or has no such key"})
		return nil
	case parent == nil:
		m.settle(id, database.Finding{Status: database.Dropped, Code: database.CodeForeignKeyLost, Reason: "the table that it refers to is not part of the copy"})
		return nil
	case !m.alike(d, parent, k):
		m.settle(id, aside(database.CodeForeignKeyLost, "its columns have types that cannot be compared with those of the columns that it refers to"))
		return nil
	case !m.referable(parent.Source, k.RefColumns):
		m.settle(id, aside(database.CodeForeignKeyLost, "it does not refer to a unique key"))
		return nil
	}
	out := *k
	out.Columns = d.renamed(k.Columns)
	switch {
	case parent != nil:
		out.RefSchema, out.RefTable, out.RefColumns = parent.Target.Schema, parent.Target.Name, parent.renamed(k.RefColumns)
	case outside != nil:
		out.RefSchema, out.RefTable = outside.Schema, outside.Name
	}
	var losses [5]database.Finding
	out.Name, losses[0] = m.nameOf(m.Spaces.Foreign, d.Target, k.Name, derived(d.Target, out.Columns, "fkey"))
	if m.Actions != nil {
		losses[1] = weaker(database.CodeForeignKeyWeaker, m.Actions(d, &out))
	}
	if k.MatchFull && !m.MatchFull && len(k.Columns) > 1 {
		losses[2] = weaker(database.CodeForeignKeyWeaker, "MATCH FULL becomes MATCH SIMPLE")
	}
	deferral, undeferred := m.deferral(k.Deferrable, m.Deferral)
	losses[3] = undeferred
	losses[4] = weaker(database.CodeOrphans, m.orphans(k))
	d.Target.ForeignKeys = append(d.Target.ForeignKeys, &out)
	d.Foreign = append(d.Foreign, k)
	m.settle(id, losses[:]...)
	s := m.reference(id, d.Target, &out, deferral)
	if m.InlineForeign {
		return []string{s.Adds}
	}
	if database.Family(m.source.Engine) != database.Family(m.Engine) {
		s.Loose = Loose(m.source, d.Source, k)
	} else if database.Family(m.Engine) == database.MySQL {
		s.Loose = Unproven(m.source)
	}
	s.Loose.Object = id
	m.late = append(m.late, s)
	return nil
}

// orphans says that there may be rows without a parent, where a key cannot say so itself, or could
// not in the source.
func (m *mapper) orphans(k *database.ForeignKey) string {
	switch {
	case m.native || !k.NotValid || m.Lenient:
		return ""
	case m.NotValid == nil:
		return "there may be rows without a parent, as in the source: there is no NOT VALID here"
	case database.Family(m.source.Engine) == database.MySQL || m.source.Engine == database.SQLite:
		return "rows without a parent, as in the source: it is NOT VALID"
	}
	return ""
}

// Loose is what to say where rows of a table break a foreign key in another engine that they do not
// break in the source; nothing where they cannot.
func Loose(source *database.Schema, t *database.Table, k *database.ForeignKey) database.Finding {
	for _, name := range k.Columns {
		if c := t.Column(name); c != nil && folds(source.Engine, c.Type) {
			return weaker(database.CodeUnequal, "values that are equal in the source, and spelt in two ways, are not equal here")
		}
	}
	return Unproven(source)
}

// Unproven is what to say where rows break a foreign key in the source too: its checks may have
// been off when they came, and nobody has looked. An export from MySQL or MariaDB names the keys
// that were broken then (they are NotValid), so that all others hold in such a file.
func Unproven(source *database.Schema) database.Finding {
	switch database.Family(source.Engine) {
	case database.SQLite, database.Postgres:
	case database.MySQL:
		if source.FromFile {
			return database.Finding{}
		}
	default:
		return database.Finding{}
	}
	return weaker(database.CodeOrphans, "rows without a parent, as in the source")
}

// folds says that an engine takes values of a type for equal that are spelt in two ways.
func folds(engine string, t database.Type) bool {
	switch t.Kind {
	case database.Text:
		return t.NoCase || t.Fixed || database.Family(engine) == database.MySQL
	case database.Decimal:
		return t.Precision == 0
	case database.TimestampTZ:
		return t.KeepsOffset
	case database.Interval, database.TimeTZ, database.Other, database.Any:
		return true
	}
	return false
}

// alike says that columns of a foreign key can be compared with what they refer to.
func (m *mapper) alike(d, parent *Draft, k *database.ForeignKey) bool {
	for i, name := range k.Columns {
		if i >= len(k.RefColumns) {
			return true
		}
		a, b := d.Column(name), parent.Column(k.RefColumns[i])
		if a != nil && b != nil && m.Engine != database.SQLite && class(a.Type) != class(b.Type) {
			return false
		}
	}
	return true
}

// class groups types that can be compared.
func class(t database.Type) database.Kind {
	switch t.Kind {
	case database.Int, database.Decimal, database.Float, database.Year, database.Bool:
		return database.Int
	case database.Date, database.Timestamp, database.TimestampTZ:
		return database.Timestamp
	case database.Text, database.Set, database.JSON, database.Any, database.Other, database.Array, database.Enum:
		return database.Text
	}
	return t.Kind
}

// reference is the statement of a foreign key.
func (m *mapper) reference(id database.ObjectID, t *database.Table, k *database.ForeignKey, deferral string) Statement {
	head := m.named(k.Name) + "FOREIGN KEY (" + m.list(k.Columns) + ") REFERENCES " + m.Qualified(k.RefSchema, k.RefTable) + " (" + m.list(k.RefColumns) + ")"
	if k.MatchFull && m.MatchFull {
		head += " MATCH FULL"
	}
	actions := OnChange(k.OnDelete, k.OnUpdate)
	s := m.unchecked(m.alter(id, t, head+actions+deferral), t, k.NotValid)
	s.Key = k
	if actions != "" && m.LooseActions {
		bare := m.unchecked(m.alter(id, t, head+deferral), t, k.NotValid)
		s.Instead, s.Lost = bare.SQL, "its actions cannot be kept:"+actions
	}
	return s
}

// OnChange spells what a foreign key does.
func OnChange(onDelete, onUpdate database.Action) (clause string) {
	if onDelete != database.NoAction {
		clause += " ON DELETE " + string(onDelete)
	}
	if onUpdate != database.NoAction {
		clause += " ON UPDATE " + string(onUpdate)
	}
	return clause
}

// referable says that a foreign key may refer to these columns.
func (m *mapper) referable(parent *database.Table, columns []string) bool {
	if parent.HasKey(columns) {
		return true
	}
	if m.Refers == ToKeys {
		return false
	}
	return slices.ContainsFunc(wholeLists(parent).unique, func(list []string) bool {
		if m.Refers == ToHeads && len(list) > len(columns) {
			list = list[:len(columns)]
		}
		return sameSet(list, columns)
	})
}

// referenced says that a foreign key of any table refers to these columns.
func (m *mapper) referenced(parent *database.Table, columns []string) bool {
	for _, t := range m.source.Tables {
		for _, k := range t.ForeignKeys {
			if k.RefTable == parent.Name && k.RefSchema == parent.Schema && sameSet(k.RefColumns, columns) {
				return true
			}
		}
	}
	return false
}

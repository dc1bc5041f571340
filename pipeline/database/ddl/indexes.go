package ddl

import (
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// hash is the method of an index that an ordinary one can stand in for.
const hash = "hash"

// index makes an index, or the line of it that stands in CREATE TABLE.
func (m *mapper) index(d *Draft, x *database.Index) (lines []string) {
	src, t := d.Source, d.Target
	id := src.Part("index", x.Name)
	parts, cut, lost := m.indexParts(d, x)
	where, unlike := m.condition(d, x)
	for _, reason := range []string{m.unindexed(d, x), lost, unlike} {
		if reason != "" {
			m.settle(id, aside(database.CodeIndexLost, reason))
			return nil
		}
	}
	name, renamed := m.nameOf(m.Spaces.Indexes, t, x.Name, derived(t, nil, "idx"))
	placed := *x
	placed.Include = d.renamed(x.Include)
	m.settle(id, renamed, m.weakerIndex(x, cut), m.indexNulls(src, x))
	if x.Unique && !m.native {
		m.target(d, &placed)
	}
	if m.Uniques == AsKey {
		words := strings.TrimLeft(strings.ToUpper(x.Method)+" KEY ", " ")
		if x.Unique {
			words = "UNIQUE KEY "
		}
		return m.addKey(d, id, []string{x.Parts[0].Column}, words+m.Quote(name)+" ("+strings.Join(parts, ", ")+")")
	}
	m.add(id, database.AfterData, m.createIndex(d, name, parts, &placed, where))
	return nil
}

// target notes a unique index in the copy's description.
func (m *mapper) target(d *Draft, x *database.Index) {
	out := *x
	out.Parts = slices.Clone(x.Parts)
	for i, p := range out.Parts {
		if p.Column != "" {
			out.Parts[i].Column = d.names[p.Column]
		}
	}
	d.Target.Indexes = append(d.Target.Indexes, &out)
}

// weakerIndex says what an index lacks that is there.
func (m *mapper) weakerIndex(x *database.Index, cut bool) database.Finding {
	prefix := slices.ContainsFunc(x.Parts, func(p database.IndexPart) bool { return p.Prefix > 0 })
	lost := ""
	switch {
	case m.native:
	case prefix && m.Prefix == nil:
		lost = "whole columns are indexed instead of prefixes"
	case cut:
		lost = "only the beginning of long values is indexed"
	case len(x.Include) > 0 && !m.Include:
		lost = "the included columns are left out"
	case x.Method == hash && !slices.Contains(m.Methods, hash):
		lost = "an ordinary index takes the place of one of hashes"
	}
	return weaker(database.CodeIndexWeaker, lost)
}

func (m *mapper) indexNulls(src *database.Table, x *database.Index) database.Finding {
	if !x.Unique || m.Nulls != NullsDiffer {
		return database.Finding{}
	}
	_, lost := m.nulls(src, &database.Key{Columns: columnsOf(x), NullsNotDistinct: x.NullsNotDistinct})
	return lost
}

// unindexed says why an index cannot be built.
func (m *mapper) unindexed(d *Draft, x *database.Index) string {
	columns := columnsOf(x)
	switch {
	case m.native:
	case x.Method != "" && x.Method != hash && !slices.Contains(m.Methods, x.Method):
		return "an index of kind " + x.Method + " has no counterpart"
	case m.IndexedOnce && covered(d.Source, x):
		return "a key or another index has the same columns"
	case x.Unique && m.Prefix == nil && slices.ContainsFunc(x.Parts, func(p database.IndexPart) bool { return p.Prefix > 0 }):
		return "uniqueness of a prefix has no counterpart"
	case x.Unique && m.Nulls == NullsCollide && !x.NullsNotDistinct && x.Where == nil && (len(columns) < len(x.Parts) || nullable(d.Source, columns)):
		return "a unique index that takes many nulls has no counterpart"
	}
	return ""
}

// condition is what ends an index over a part of the rows, or why there is none.
func (m *mapper) condition(d *Draft, x *database.Index) (where, lost string) {
	if x.Where == nil {
		return "", ""
	}
	sql, ok := m.expression(d, *x.Where, m.compares)
	if !ok || !m.Filtered && !m.native {
		return "", "its condition has no counterpart"
	}
	return " WHERE " + sql, ""
}

// indexParts spells the parts of an index. cut says that not all of a value is indexed, lost why a
// part cannot be.
func (m *mapper) indexParts(d *Draft, x *database.Index) (parts []string, cut bool, lost string) {
	whole := x.Unique && x.Where == nil && listOf(x) != nil
	for _, p := range x.Parts {
		sql, short, why := m.indexPart(d, x, p, whole)
		if why != "" {
			return nil, false, why
		}
		if p.Desc && !m.Ascending {
			sql += " DESC"
		}
		cut = cut || short
		parts = append(parts, sql)
	}
	return parts, cut, ""
}

func (m *mapper) indexPart(d *Draft, x *database.Index, p database.IndexPart, whole bool) (sql string, cut bool, lost string) {
	if p.Expr != nil {
		sql, ok := m.expression(d, *p.Expr, m.compares)
		if !ok || !m.Expressions && !m.native {
			return "", false, "its expression has no counterpart"
		}
		if !m.native {
			sql = "(" + sql + ")"
		}
		return sql, false, ""
	}
	to := d.Column(p.Column)
	if !m.native && (to == nil || m.Indexed != nil && !m.Indexed(*to)) {
		return "", false, "its column " + p.Column + " cannot be indexed here"
	}
	sql = m.Quote(d.names[p.Column])
	if m.Prefix == nil || m.native || x.Method != "" && x.Method != hash {
		return sql, false, ""
	}
	asked := p.Prefix
	if whole {
		asked = -1
	}
	clause, cut := m.Prefix(*to, asked, len(x.Parts))
	return sql + clause, cut && !whole, ""
}

func (m *mapper) createIndex(d *Draft, name string, parts []string, x *database.Index, where string) string {
	t := d.Target
	sql := "CREATE "
	if x.Unique {
		sql += "UNIQUE "
	}
	if m.native && m.IndexWords != nil {
		sql += m.IndexWords(t, name)
	}
	sql += "INDEX " + m.Quote(name) + " ON " + m.Qualified(t.Schema, t.Name)
	if m.Using && x.Method != "" {
		sql += " USING " + m.Quote(x.Method)
	}
	sql += " (" + strings.Join(parts, ", ") + ")"
	if len(x.Include) > 0 && m.Include {
		sql += " INCLUDE (" + m.list(x.Include) + ")"
	}
	if x.Unique && x.NullsNotDistinct && m.Nulls == NullsChosen {
		sql += " NULLS NOT DISTINCT"
	}
	sql += where
	if m.native && m.IndexTail != nil {
		sql += m.IndexTail(t, name)
	}
	return sql
}

// lists are lists of columns whose values must be whole in an index.
type lists struct{ unique, foreign [][]string }

func wholeLists(t *database.Table) lists {
	out := lists{unique: keyLists(t, len(t.Uniques))}
	for _, k := range t.ForeignKeys {
		out.foreign = append(out.foreign, k.Columns)
	}
	for _, x := range t.Indexes {
		if columns := listOf(x); x.Unique && x.Method == "" && x.Where == nil && columns != nil {
			out.unique = append(out.unique, columns)
		}
	}
	return out
}

// hold says that a column is in one of the lists, and in a unique one.
func (l lists) hold(column string) (keyed, unique bool) {
	in := func(list []string) bool { return slices.Contains(list, column) }
	unique = slices.ContainsFunc(l.unique, in)
	return unique || slices.ContainsFunc(l.foreign, in), unique
}

// room parts the bytes of a key evenly among its columns of no fixed size, and gives the column's
// least share.
func (m *mapper) room(t *database.Table, in lists, column string) int {
	share := 0
	for _, list := range slices.Concat(in.unique, in.foreign) {
		if !slices.Contains(list, column) {
			continue
		}
		long := 0
		for _, name := range list {
			if c := t.Column(name); c != nil && !slices.Contains(m.FixedKinds, c.Type.Kind) {
				long++
			}
		}
		part := (m.KeyBytes - m.FixedBytes*(len(list)-long)) / max(long, 1)
		if share == 0 || part < share {
			share = part
		}
	}
	return max(share, 0)
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
	columns := ascending(x)
	if columns == nil || hasList(keyLists(t, len(t.Uniques)), columns) {
		return columns != nil
	}
	for _, other := range t.Indexes {
		if other == x {
			return false
		}
		if slices.Equal(ascending(other), columns) {
			return true
		}
	}
	return false
}

// columnsOf are the columns of an index.
func columnsOf(x *database.Index) []string {
	var out []string
	for _, p := range x.Parts {
		if p.Column != "" {
			out = append(out, p.Column)
		}
	}
	return out
}

// listOf are the columns of an index whose parts are whole columns; nil if they are something else.
func listOf(x *database.Index) []string {
	if slices.ContainsFunc(x.Parts, func(p database.IndexPart) bool { return p.Expr != nil || p.Prefix > 0 }) {
		return nil
	}
	return columnsOf(x)
}

// ascending is listOf where no column goes the other way.
func ascending(x *database.Index) []string {
	if slices.ContainsFunc(x.Parts, func(p database.IndexPart) bool { return p.Desc }) {
		return nil
	}
	return listOf(x)
}

func nullable(t *database.Table, columns []string) bool {
	return slices.ContainsFunc(columns, func(name string) bool { c := t.Column(name); return c != nil && !c.NotNull })
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

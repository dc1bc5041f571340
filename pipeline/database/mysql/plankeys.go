package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// keyFinding says what is lost of a primary or unique key.
func (m *mapper) keyFinding(id database.ObjectID, k *database.Key) {
	switch {
	case k.NullsNotDistinct:
		m.approximated(id, "DB130", "nulls are distinct here, so several rows may have one")
	case k.Deferrable != database.Immediate:
		m.approximated(id, "DB131", "it cannot be deferred here")
	default:
		m.exact(id)
	}
}

// uniques plans unique keys for later and returns those that AUTO_INCREMENT
// needs from the start.
func (m *mapper) uniques(d *draft) (lines []string) {
	add := func(id database.ObjectID, k *database.Key) {
		name := k.Name
		if name == "" {
			name = strings.Join(k.Columns, "_")
		}
		target := &database.Key{Name: d.indexes.unique(name), Columns: d.names(k.Columns)}
		d.planned.Target.Uniques = append(d.planned.Target.Uniques, target)
		what := "UNIQUE KEY " + quote(target.Name) + " (" + m.primaryParts(d, k.Columns) + ")"
		primary := d.src.PrimaryKey
		if d.counter != "" && k.Columns[0] == d.counter && (primary == nil || primary.Columns[0] != d.counter) {
			lines = append(lines, what)
		} else {
			m.detail.alter = append(m.detail.alter, addition{id, d.planned.Target.Name, what})
		}
		m.keyFinding(id, k)
	}
	for _, k := range d.src.Uniques {
		add(d.src.Part("unique", k.Name), k)
	}
	for _, x := range d.src.Indexes {
		if k := plainUnique(x); k != nil {
			add(d.src.Part("index", x.Name), k)
		}
	}
	return lines
}

func (m *mapper) checks(d *draft) (lines []string) {
	for i, k := range d.src.Checks {
		id := d.src.Part("check", k.Name)
		sql, ok := m.expression(d, k.Expr)
		if !ok || k.NotValid {
			m.finding(id, database.SidecarOnly, "DB132", "the condition is not enforced here: "+k.Expr.SQL)
			continue
		}
		name := k.Name
		if name == "" || m.server.mariadb() && d.src.Column(k.Name) != nil {
			name = fmt.Sprintf("%s_check%d", d.planned.Target.Name, i+1)
		}
		lines = append(lines, "CONSTRAINT "+quote(m.links.unique(name))+" CHECK ("+sql+")")
		m.exact(id)
	}
	return lines
}

func (m *mapper) indexes(d *draft) {
	for _, x := range d.src.Indexes {
		if plainUnique(x) != nil {
			continue // made with the unique keys
		}
		id := d.src.Part("index", x.Name)
		what, lost, ok := m.index(d, x)
		switch {
		case !ok:
			m.finding(id, database.SidecarOnly, "DB133", lost)
			continue
		case lost != "":
			m.approximated(id, "DB134", lost)
		default:
			m.exact(id)
		}
		m.detail.alter = append(m.detail.alter, addition{id, d.planned.Target.Name, what})
	}
}

// index gives what follows ADD, or why there is nothing.
func (m *mapper) index(d *draft, x *database.Index) (what, lost string, ok bool) {
	words := "KEY "
	switch {
	case x.Method != "" && (!m.family || !slices.Contains([]string{"fulltext", "spatial", "vector"}, x.Method)):
		return "", "an index of kind " + x.Method + " has no counterpart", false
	case x.Where != nil:
		return "", "an index over a part of the rows has no counterpart", false
	case x.Method != "":
		words = strings.ToUpper(x.Method) + " KEY "
	case x.Unique:
		words = "UNIQUE KEY "
	}
	var parts []string
	for _, p := range x.Parts {
		part, cut, legal := m.indexPart(d, x, p)
		if !legal {
			return "", "its expression or column cannot be indexed here", false
		}
		if cut {
			lost = "only the beginning of long values is indexed"
		}
		parts = append(parts, part)
	}
	if len(x.Include) > 0 {
		lost = "columns that are only included are left out"
	}
	name := d.indexes.unique(x.Name)
	return words + quote(name) + " (" + strings.Join(parts, ", ") + ")", lost, true
}

func (m *mapper) indexPart(d *draft, x *database.Index, p database.IndexPart) (sql string, cut, ok bool) {
	if p.Expr != nil {
		if m.server.mariadb() || m.server.number < 80013 {
			return "", false, false
		}
		sql, ok = m.expression(d, *p.Expr)
		return "(" + sql + ")", false, ok
	}
	t := d.typeOf(p.Column)
	if t == nil || t.typ.Kind == database.JSON && !m.server.mariadb() {
		return "", false, false
	}
	sql = quote(d.renamed[p.Column])
	fit := maxKeyBytes / 4 / len(x.Parts)
	long := t.long() || strings.HasPrefix(t.typ.Native, "varchar") && t.typ.Length > int64(fit)
	switch {
	case x.Method != "":
	case p.Prefix > 0:
		sql += fmt.Sprintf("(%d)", p.Prefix)
	case long || t.typ.Native == "json":
		sql += fmt.Sprintf("(%d)", min(191, fit))
		cut = true
	}
	if p.Desc && (!m.server.mariadb() || m.server.number >= 100800) {
		sql += " DESC"
	}
	return sql, cut, true
}

// foreignKeys plans the foreign keys of a table.
func (m *mapper) foreignKeys(d *draft) {
	for _, k := range d.src.ForeignKeys {
		m.foreignKey(d, k)
	}
}

func (m *mapper) foreignKey(d *draft, k *database.ForeignKey) {
	id := d.src.Part("foreign key", k.Name)
	parent := m.find(k.RefSchema, k.RefTable)
	if parent == nil || !parent.begins(k.RefColumns) {
		m.finding(id, database.SidecarOnly, "DB135", "the table to which it refers is not part of the copy, or has no key on those columns")
		return
	}
	out := *k
	out.Columns, out.RefColumns = d.names(k.Columns), parent.names(k.RefColumns)
	out.RefSchema, out.RefTable = "", parent.planned.Target.Name
	lost := m.weaken(d, &out, k)
	name := k.Name
	if name == "" {
		name = d.planned.Target.Name + "_" + strings.Join(k.Columns, "_") + "_fkey"
	}
	out.Name = m.links.unique(name)
	d.planned.Target.ForeignKeys = append(d.planned.Target.ForeignKeys, &out)
	m.detail.foreign = append(m.detail.foreign, reference{addition{id, d.planned.Target.Name, foreignSQL(&out)}, &out})
	if lost != "" {
		m.approximated(id, "DB136", lost)
		return
	}
	m.exact(id)
}

// weaken takes from a foreign key what the server does not know.
func (m *mapper) weaken(d *draft, out, k *database.ForeignKey) (lost string) {
	if k.OnDelete == database.SetDefault || k.OnUpdate == database.SetDefault {
		lost = "SET DEFAULT becomes NO ACTION"
		if out.OnDelete == database.SetDefault {
			out.OnDelete = database.NoAction
		}
		if out.OnUpdate == database.SetDefault {
			out.OnUpdate = database.NoAction
		}
	}
	for _, name := range k.Columns {
		if c := d.src.Column(name); c != nil && c.NotNull && (out.OnDelete == database.SetNull || out.OnUpdate == database.SetNull) {
			lost = "SET NULL of a column that is never null becomes NO ACTION"
			out.OnDelete, out.OnUpdate = notSetNull(out.OnDelete), notSetNull(out.OnUpdate)
		}
	}
	if k.MatchFull && len(k.Columns) > 1 {
		lost = "MATCH FULL is not enforced"
	}
	if k.Deferrable != database.Immediate {
		lost = "it cannot be deferred here"
	}
	return lost
}

func notSetNull(a database.Action) database.Action {
	if a == database.SetNull {
		return database.NoAction
	}
	return a
}

// begins says that a key of the table begins with these columns.
func (d *draft) begins(columns []string) bool {
	for _, k := range keysOf(d.src) {
		if len(k.Columns) < len(columns) {
			continue
		}
		all := true
		for _, name := range columns {
			all = all && contains(k.Columns[:len(columns)], name)
		}
		if all {
			return true
		}
	}
	return false
}

func foreignSQL(k *database.ForeignKey) string {
	sql := "CONSTRAINT " + quote(k.Name) + " FOREIGN KEY (" + quoteAll(k.Columns) + ") REFERENCES " + quote(k.RefTable) + " (" + quoteAll(k.RefColumns) + ")"
	if k.OnDelete != "" {
		sql += " ON DELETE " + string(k.OnDelete)
	}
	if k.OnUpdate != "" {
		sql += " ON UPDATE " + string(k.OnUpdate)
	}
	return sql
}

// late says what becomes of schemas, and plans views, triggers and routines of
// the other member of the family. Their replay may fail, which Finish reports.
func (m *mapper) late() {
	for _, o := range m.source.Objects {
		if o.Kind == "schema" && o.Name == m.source.Namespace {
			m.exact(o.ObjectID) // the database itself
		} else if o.Kind == "schema" {
			m.approximated(o.ObjectID, "DB137", "its tables are called "+o.Name+"__… here")
		}
	}
	if !m.family || m.detail.opts.NoNativeDDL {
		return
	}
	reader := &reader{server: m.server, name: m.source.Namespace, handed: m.detail.opts.HandedOver}
	for _, o := range m.source.Objects {
		if isCode(o.Kind) && len(o.DDL) > 0 {
			reader.take(m.out, m.detail, o)
		}
	}
}

package sqlite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/packstone/packstone/pipeline/database"
)

// entry is a row of sqlite_schema.
type entry struct {
	kind, name, table, sql string
	virtual, shadow        bool
	withoutRowid           bool
}

// inspector reads a file by its own schema.
type inspector struct {
	conn     *sqlite3.Conn
	observe  bool
	known    map[string]bool
	schema   *database.Schema
	readings map[string]*reading
	entries  []*entry
}

// inspect describes a file. With observe, columns' types follow from what their
// cells hold, since SQLite does not enforce declared ones. Tables that are known are
// left out.
func inspect(conn *sqlite3.Conn, filter database.Filter, observe bool, known map[string]bool) (*database.Schema, map[string]*reading, error) {
	i := &inspector{
		conn: conn, observe: observe, known: known, readings: map[string]*reading{},
		schema: &database.Schema{Engine: database.SQLite},
	}
	if err := i.list(); err != nil {
		return nil, nil, err
	}
	for _, e := range i.entries {
		if e.kind == "table" && !e.virtual && !e.shadow && !known[e.name] && filter.Takes("", "", e.name) {
			if err := i.table(e); err != nil {
				return nil, nil, fmt.Errorf("inspect table %s: %w", e.name, err)
			}
		}
	}
	slices.SortFunc(i.schema.Tables, func(a, b *database.Table) int { return strings.Compare(a.Name, b.Name) })
	i.objects(filter)
	return i.schema, i.readings, i.pragmas()
}

func (i *inspector) list() error {
	err := query(i.conn, "SELECT sqlite_version()", func(s *sqlite3.Stmt) error {
		i.schema.Version = s.ColumnText(0)
		return nil
	})
	if err != nil {
		return err
	}
	byName := map[string]*entry{}
	err = query(i.conn, "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name NOT LIKE '\\_packstone\\_%' ESCAPE '\\' OR name = '_packstone_large_object' ORDER BY rowid", func(s *sqlite3.Stmt) error {
		e := &entry{kind: s.ColumnText(0), name: s.ColumnText(1), table: s.ColumnText(2), sql: s.ColumnText(3)}
		i.entries = append(i.entries, e)
		if e.kind == "table" {
			byName[e.name] = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	return query(i.conn, "PRAGMA main.table_list", func(s *sqlite3.Stmt) error {
		if e := byName[s.ColumnText(1)]; e != nil {
			e.virtual, e.shadow = s.ColumnText(2) == "virtual", s.ColumnText(2) == "shadow"
			e.withoutRowid = s.ColumnInt64(4) != 0
		}
		return nil
	})
}

// pragma runs a table-valued pragma about one object.
func (i *inspector) pragma(columns, name, about string, f func(*sqlite3.Stmt) error) error {
	return query(i.conn, "SELECT "+columns+" FROM pragma_"+name+"("+text(about)+")", f)
}

func (i *inspector) table(e *entry) error {
	t := &database.Table{Name: e.name}
	r := &reading{table: e.name, rowid: !e.withoutRowid}
	keyed, err := i.columns(t)
	if err != nil {
		return err
	}
	if len(keyed) > 0 {
		t.PrimaryKey = &database.Key{Columns: keyed}
		t.Order = keyed
		if e.withoutRowid {
			r.orderBy = quoteAll(keyed)
		}
	}
	if err := i.indexes(e, t); err != nil {
		return err
	}
	if err := i.foreignKeys(t); err != nil {
		return err
	}
	t.Checks = checksOf(e.sql)
	if i.observe {
		if err := i.observeColumns(t); err != nil {
			return err
		}
		i.identity(e, t)
	}
	for _, c := range t.Columns {
		enc := plain
		if c.Type.Kind == database.Float || c.Type.Kind == database.Decimal {
			_, enc = declare(c.Type)
		}
		r.columns = append(r.columns, columnLayout{name: c.Name, enc: enc, generated: c.Generated != nil, long: c.Generated == nil && mayBeLong(c.Type, enc)})
	}
	i.schema.Tables = append(i.schema.Tables, t)
	i.readings[t.ID()] = r
	return nil
}

// columns reads a table's columns and returns the primary key's.
func (i *inspector) columns(t *database.Table) ([]string, error) {
	keyed := map[int64]string{}
	err := i.pragma("name, type, \"notnull\", dflt_value, pk, hidden", "table_xinfo", t.Name, func(s *sqlite3.Stmt) error {
		hidden := s.ColumnInt64(5)
		if hidden == 1 || s.ColumnText(0) == reservedPrefix+"row" {
			return nil
		}
		c := &database.Column{Name: s.ColumnText(0), NotNull: s.ColumnInt64(2) != 0, Type: database.Type{Kind: database.Any, Native: s.ColumnText(1)}}
		if s.ColumnType(3) != sqlite3.NULL {
			c.Default = &database.Expr{Engine: database.SQLite, SQL: plainDefault(s.ColumnText(3))}
		}
		if hidden > 1 {
			c.Generated = &database.Generated{Expr: database.Expr{Engine: database.SQLite}, Stored: hidden == 3}
		}
		if pk := s.ColumnInt64(4); pk > 0 {
			keyed[pk] = c.Name
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
	var names []string
	for n := int64(1); keyed[n] != ""; n++ {
		names = append(names, keyed[n])
	}
	return names, err
}

func (i *inspector) indexes(e *entry, t *database.Table) error {
	type listed struct {
		name, origin    string
		unique, partial bool
	}
	var list []listed
	err := i.pragma("name, \"unique\", origin, partial", "index_list", t.Name, func(s *sqlite3.Stmt) error {
		list = append(list, listed{s.ColumnText(0), s.ColumnText(2), s.ColumnInt64(1) != 0, s.ColumnInt64(3) != 0})
		return nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(list) // in order of creation
	for _, l := range list {
		x := &database.Index{Name: l.name, Unique: l.unique}
		var sql string
		for _, e := range i.entries {
			if e.kind == "index" && e.name == l.name {
				sql = e.sql
			}
		}
		if err := i.indexParts(x, sql); err != nil {
			return err
		}
		switch l.origin {
		case "u":
			t.Uniques = append(t.Uniques, &database.Key{Columns: partColumns(x)})
		case "c":
			if l.partial {
				x.Where = &database.Expr{Engine: database.SQLite, SQL: whereOf(sql)}
			}
			t.Indexes = append(t.Indexes, x)
		}
	}
	return nil
}

func (i *inspector) indexParts(x *database.Index, sql string) error {
	texts := indexTexts(sql)
	return i.pragma("cid, name, \"desc\", key", "index_xinfo", x.Name, func(s *sqlite3.Stmt) error {
		if s.ColumnInt64(3) == 0 {
			return nil
		}
		part := database.IndexPart{Column: s.ColumnText(1), Desc: s.ColumnInt64(2) != 0}
		if s.ColumnInt64(0) == -2 {
			expr := database.Expr{Engine: database.SQLite}
			if len(x.Parts) < len(texts) {
				expr.SQL = texts[len(x.Parts)]
			}
			part.Column, part.Expr = "", &expr
		}
		x.Parts = append(x.Parts, part)
		return nil
	})
}

func partColumns(x *database.Index) []string {
	var out []string
	for _, p := range x.Parts {
		out = append(out, p.Column)
	}
	return out
}

func (i *inspector) foreignKeys(t *database.Table) error {
	byID := map[int64]*database.ForeignKey{}
	var order []int64
	err := i.pragma("id, \"table\", \"from\", \"to\", on_update, on_delete", "foreign_key_list", t.Name, func(s *sqlite3.Stmt) error {
		id := s.ColumnInt64(0)
		k := byID[id]
		if k == nil {
			k = &database.ForeignKey{RefTable: s.ColumnText(1), OnUpdate: action(s.ColumnText(4)), OnDelete: action(s.ColumnText(5))}
			byID[id] = k
			order = append(order, id)
		}
		k.Columns = append(k.Columns, s.ColumnText(2))
		if s.ColumnType(3) != sqlite3.NULL {
			k.RefColumns = append(k.RefColumns, s.ColumnText(3))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(order)
	for _, id := range slices.Backward(order) { // SQLite numbers them from the last
		k := byID[id]
		if err := i.resolve(k); err != nil {
			return err
		}
		t.ForeignKeys = append(t.ForeignKeys, k)
	}
	return nil
}

// resolve finds the parent's name as it is spelt, and its key where the
// reference leaves it out.
func (i *inspector) resolve(k *database.ForeignKey) error {
	for _, e := range i.entries {
		if e.kind == "table" && strings.EqualFold(e.name, k.RefTable) {
			k.RefTable = e.name
		}
	}
	var names, key []string
	err := i.pragma("name, pk", "table_xinfo", k.RefTable, func(s *sqlite3.Stmt) error {
		names = append(names, s.ColumnText(0))
		if pk := int(s.ColumnInt64(1)); pk > 0 {
			for len(key) < pk {
				key = append(key, "")
			}
			key[pk-1] = s.ColumnText(0)
		}
		return nil
	})
	if len(k.RefColumns) == 0 {
		k.RefColumns = key
	}
	for n, column := range k.RefColumns {
		for _, name := range names {
			if strings.EqualFold(name, column) {
				k.RefColumns[n] = name
			}
		}
	}
	return err
}

func action(word string) database.Action {
	if word == "NO ACTION" {
		return database.NoAction
	}
	return database.Action(word)
}

var autoincrement = regexp.MustCompile(`(?i)\bAUTOINCREMENT\b`)

// identity makes an INTEGER PRIMARY KEY count, as it does in SQLite.
func (i *inspector) identity(e *entry, t *database.Table) {
	if t.PrimaryKey == nil || len(t.PrimaryKey.Columns) != 1 || e.withoutRowid {
		return
	}
	c := t.Column(t.PrimaryKey.Columns[0])
	if !strings.EqualFold(c.Type.Native, "INTEGER") || c.Type.Kind != database.Int {
		return
	}
	q := &database.Sequence{
		Name: t.Name + "_" + c.Name + "_seq", Start: 1, Increment: 1, Min: 1, Max: 1<<63 - 1, Last: 1,
		OwnerTable: t.ID(), OwnerColumn: c.Name,
	}
	if autoincrement.MatchString(e.sql) {
		q.Type = autoincrementing
	}
	c.NotNull = true
	c.Identity = &database.Identity{Sequence: q.ID()}
	i.schema.Sequences = append(i.schema.Sequences, q)
}

// objects lists everything with its own SQL, tables first.
func (i *inspector) objects(filter database.Filter) {
	for _, phase := range []struct {
		kind  string
		phase database.Phase
	}{{"table", database.Tables}, {"index", database.AfterData}, {"view", database.AtEnd}, {"trigger", database.AtEnd}} {
		for _, e := range i.entries {
			if e.kind != phase.kind || e.kind == "index" && e.sql == "" {
				continue
			}
			if (e.kind == "table" || e.kind == "index" || e.kind == "trigger") && !filter.Takes("", "", e.table) {
				continue
			}
			i.schema.Objects = append(i.schema.Objects, e.object(phase.phase))
		}
	}
	for _, t := range i.schema.Tables {
		i.parts(t)
	}
}

// pragmas lists the numbers that programs keep in a file's header.
func (i *inspector) pragmas() error {
	for _, name := range []string{"application_id", "user_version"} {
		err := query(i.conn, "PRAGMA "+name, func(s *sqlite3.Stmt) error {
			if n := s.ColumnInt64(0); n != 0 {
				i.schema.Objects = append(i.schema.Objects, &database.Object{
					ObjectID: database.ObjectID{Kind: pragmaKind, Name: name}, Phase: database.AtEnd, DDL: []string{fmt.Sprintf("PRAGMA %s = %d", name, n)},
				})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pragmaKind is the kind of such a number.
const pragmaKind = "pragma"

func (e *entry) object(phase database.Phase) *database.Object {
	o := &database.Object{ObjectID: database.ObjectID{Kind: e.kind, Name: e.name}, Phase: phase, DDL: []string{e.sql}}
	if e.kind == "index" || e.kind == "trigger" {
		o.Table = e.table
	}
	if e.virtual || e.shadow {
		o.DDL, o.Lost = nil, "virtual tables and what is behind them are not carried"
	}
	return o
}

// parts lists what is inside a table's own SQL, so that the report names it.
func (i *inspector) parts(t *database.Table) {
	add := func(kind, name string) {
		i.schema.Objects = append(i.schema.Objects, &database.Object{
			ObjectID: t.Part(kind, name), Phase: database.Tables, Lost: database.PartOfTable,
		})
	}
	if t.PrimaryKey != nil {
		add("primary key", "")
	}
	for n, k := range t.Uniques {
		k.Name = t.Name + "_" + strings.Join(k.Columns, "_") + "_key"
		t.Uniques[n] = k
		add("unique", k.Name)
	}
	for n, k := range t.ForeignKeys {
		k.Name = fmt.Sprintf("%s_fk%d", t.Name, n+1)
		add("foreign key", k.Name)
	}
	for n, k := range t.Checks {
		if k.Name == "" {
			k.Name = fmt.Sprintf("%s_check%d", t.Name, n+1)
		}
		add("check", k.Name)
	}
	for _, c := range t.Columns {
		if c.Default != nil {
			add("default", c.Name)
		}
	}
}

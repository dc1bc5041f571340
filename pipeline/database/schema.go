package database

import (
	"cmp"
	"slices"
	"strings"
)

// Engine names, as they stand in Schema.Engine.
const (
	Postgres  = "postgres"
	MySQL     = "mysql"
	MariaDB   = "mariadb"
	SQLite    = "sqlite"
	Oracle    = "oracle"
	SQLServer = "sqlserver"
)

// Family groups engines that understand each other's DDL.
func Family(engine string) string {
	if engine == MariaDB {
		return MySQL
	}
	return engine
}

// Schema describes a database: what of it is portable in Tables and Sequences,
// and all of it, natively, in Objects. It is plain data and marshals to JSON;
// equal databases give equal bytes.
type Schema struct {
	Engine  string `json:"engine"`
	Version string `json:"version,omitempty"`
	// Namespace is the schema whose tables need no qualifier (public, dbo, the
	// MySQL database); it is never part of a name on another engine.
	Namespace string `json:"namespace,omitempty"`
	// Moment names the snapshot in the engine's own terms (LSN, GTID, SCN).
	Moment    string            `json:"-"`
	Settings  map[string]string `json:"settings,omitempty"` // encoding, collation, time zone
	Tables    []*Table          `json:"tables"`             // sorted by schema and name
	Sequences []*Sequence       `json:"sequences,omitempty"`
	Objects   []*Object         `json:"objects,omitempty"` // in an order of creation
	// Owners are the roles that objects belong to, by name.
	Owners []*Principal `json:"owners,omitempty"`
	// FromFile says that it was read from an export, which anybody may have
	// written. A snapshot of one says so too.
	FromFile bool `json:"from_file,omitempty"`
	// Losses are findings about what no reading of the database has: a stored schema keeps them.
	Losses []Finding `json:"losses,omitempty"`
	// Findings are what the source itself cannot promise, such as a table that
	// stands outside the snapshot. They belong to one reading of the database.
	Findings []Finding `json:"-"`
}

// Table describes a table and what hangs on it. Rows carry all columns in this
// order, generated ones included.
type Table struct {
	Schema  string    `json:"schema,omitempty"`
	Name    string    `json:"name"`
	Role    Role      `json:"role,omitempty"`
	Columns []*Column `json:"columns"`
	// Order names the columns by which rows are sorted: those of the primary key,
	// else of a unique key without nulls. Empty: the engine's own stable order.
	Order       []string      `json:"order,omitempty"`
	PrimaryKey  *Key          `json:"primary_key,omitempty"`
	Uniques     []*Key        `json:"uniques,omitempty"`
	ForeignKeys []*ForeignKey `json:"foreign_keys,omitempty"`
	Checks      []*Check      `json:"checks,omitempty"`
	Indexes     []*Index      `json:"indexes,omitempty"`
	Comment     string        `json:"comment,omitempty"`
	// Without marks SQLite's WITHOUT ROWID and STRICT; other engines ignore it.
	Options []string `json:"options,omitempty"`
	// Estimate of rows and bytes for progress; not part of the stored schema.
	EstimatedRows  int64 `json:"-"`
	EstimatedBytes int64 `json:"-"`
}

// Role tells a table of data from one that stands for something else.
type Role string

// Roles of tables.
const (
	Data Role = "" // an ordinary or partitioned table
	// LargeObjects holds PostgreSQL's large objects: loid, pageno, data, as in
	// pg_largeobject; an empty object is one row whose pageno is null.
	LargeObjects Role = "large-objects"
)

// ID is the table's name with its schema, for people and maps.
func (t *Table) ID() string { return JoinName(t.Schema, t.Name) }

// ObjectID names the table among Schema.Objects.
func (t *Table) ObjectID() ObjectID {
	return ObjectID{Kind: "table", Schema: t.Schema, Name: t.Name}
}

// Part names something that hangs on the table: a "primary key", "unique",
// "foreign key", "check", "index", "default" or "column" (both by the column's
// name), "trigger", …
func (t *Table) Part(kind, name string) ObjectID {
	return ObjectID{Kind: kind, Table: t.ID(), Name: name}
}

// Column finds a column by its exact name; nil if there is none.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// HasKey says that columns are the primary key or a unique key, in any order.
func (t *Table) HasKey(columns []string) bool {
	wanted := slices.Sorted(slices.Values(columns))
	same := func(k *Key) bool { return slices.Equal(slices.Sorted(slices.Values(k.Columns)), wanted) }
	return t.PrimaryKey != nil && same(t.PrimaryKey) || slices.ContainsFunc(t.Uniques, same)
}

// KeyOrder is what Order is for: the columns of the primary key, else of the
// first unique key without nulls; nil if there is neither.
func (t *Table) KeyOrder() []string {
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

// Column describes one column.
type Column struct {
	Name      string     `json:"name"`
	Type      Type       `json:"type"`
	NotNull   bool       `json:"not_null,omitempty"`
	Default   *Expr      `json:"default,omitempty"`
	Generated *Generated `json:"generated,omitempty"`
	// Unread says that nobody asks for the values of a generated column, since computing or reading
	// them could run somebody's code: every cell is null, and it is not compared.
	Unread   bool      `json:"unread,omitempty"`
	Identity *Identity `json:"identity,omitempty"`
	Comment  string    `json:"comment,omitempty"`
}

// Expr is an expression in the dialect of an engine. Translate carries it over.
type Expr struct {
	Engine string `json:"engine"`
	SQL    string `json:"sql"`
}

// Generated says that a column is computed; its values still travel with rows,
// and a target that computes them itself skips the cells.
type Generated struct {
	Expr   Expr `json:"expr"`
	Stored bool `json:"stored,omitempty"`
	// Changed says that code which the expression calls was changed after the column was made: what
	// is stored may not be what it gives now.
	Changed bool `json:"changed,omitempty"`
}

// Identity says that a column counts by itself: serial, identity, auto_increment.
type Identity struct {
	Always bool `json:"always,omitempty"` // values given by hand are refused
	// Sequence names the counter in Schema.Sequences (its ID).
	Sequence string `json:"sequence"`
}

// Key is a primary or unique key.
type Key struct {
	Name             string   `json:"name,omitempty"`
	Columns          []string `json:"columns"`
	NullsNotDistinct bool     `json:"nulls_not_distinct,omitempty"`
	Deferrable       Deferral `json:"deferrable,omitempty"`
}

// Deferral says when a constraint is checked.
type Deferral string

// Deferrals.
const (
	Immediate         Deferral = ""
	Deferrable        Deferral = "deferrable"
	InitiallyDeferred Deferral = "initially deferred"
)

// ForeignKey refers from Columns to RefColumns of another table.
type ForeignKey struct {
	Name       string   `json:"name,omitempty"`
	Columns    []string `json:"columns"`
	RefSchema  string   `json:"ref_schema,omitempty"`
	RefTable   string   `json:"ref_table"`
	RefColumns []string `json:"ref_columns"`
	OnDelete   Action   `json:"on_delete,omitempty"`
	OnUpdate   Action   `json:"on_update,omitempty"`
	MatchFull  bool     `json:"match_full,omitempty"`
	NotValid   bool     `json:"not_valid,omitempty"` // existing rows were not checked
	Deferrable Deferral `json:"deferrable,omitempty"`
}

// Action is what a foreign key does when its parent changes; empty is NO ACTION.
type Action string

// Actions.
const (
	NoAction   Action = ""
	Restrict   Action = "RESTRICT"
	Cascade    Action = "CASCADE"
	SetNull    Action = "SET NULL"
	SetDefault Action = "SET DEFAULT"
)

// Check is a condition on a row.
type Check struct {
	Name     string `json:"name,omitempty"`
	Expr     Expr   `json:"expr"`
	NotValid bool   `json:"not_valid,omitempty"`
}

// Index is an index that no key implies.
type Index struct {
	Name   string      `json:"name"`
	Unique bool        `json:"unique,omitempty"`
	Parts  []IndexPart `json:"parts"`
	Where  *Expr       `json:"where,omitempty"`
	// Method is the engine's kind of index where it is not the usual ordered one
	// (gin, fulltext, spatial); another engine keeps such an index as sidecar.
	Method           string   `json:"method,omitempty"`
	Include          []string `json:"include,omitempty"`
	NullsNotDistinct bool     `json:"nulls_not_distinct,omitempty"`
}

// IndexPart is a column or an expression, one of the two.
type IndexPart struct {
	Column string `json:"column,omitempty"`
	Expr   *Expr  `json:"expr,omitempty"`
	Desc   bool   `json:"desc,omitempty"`
	// Prefix is how many characters are indexed; 0: all.
	Prefix int `json:"prefix,omitempty"`
}

// Sequence is a counter, free-standing or behind an Identity. Last is the last
// value given out if Called, else the next one.
type Sequence struct {
	Schema    string `json:"schema,omitempty"`
	Name      string `json:"name"`
	Type      string `json:"type,omitempty"`
	Start     int64  `json:"start"`
	Increment int64  `json:"increment"`
	Min       int64  `json:"min"`
	Max       int64  `json:"max"`
	Cache     int64  `json:"cache,omitempty"`
	Cycle     bool   `json:"cycle,omitempty"`
	Last      int64  `json:"last"`
	Called    bool   `json:"called,omitempty"`
	// OwnerTable and OwnerColumn name the column it belongs to (the table's ID).
	OwnerTable  string `json:"owner_table,omitempty"`
	OwnerColumn string `json:"owner_column,omitempty"`
}

// ID is the sequence's name with its schema.
func (s *Sequence) ID() string { return JoinName(s.Schema, s.Name) }

// Next is the value that the counter gives next.
func (s *Sequence) Next() int64 {
	if !s.Called {
		return s.Last
	}
	return s.Last + s.Increment
}

// Principal is a role that owns objects of the source.
type Principal struct {
	Name string `json:"name"`
	// Powers are what the role may do beyond its own objects, in the engine's words.
	Powers []string `json:"powers,omitempty"`
}

// Object is anything that the source holds, with the statements that make it.
type Object struct {
	ObjectID
	Phase Phase    `json:"phase"`
	DDL   []string `json:"ddl,omitempty"`
	// Owner is the role that it belongs to, where the engine has owners.
	Owner string `json:"owner,omitempty"`
	// Lacks names something that it is made of and that is not kept, so that only a server that has
	// it already can make it again.
	Lacks string `json:"lacks,omitempty"`
	// Lost says why there is no DDL.
	Lost string `json:"lost,omitempty"`
}

// ObjectID names an object. Kind is the engine's word in lower case: table,
// column, primary key, unique, foreign key, check, index, sequence, view,
// trigger, function, … Table is the ID of the table it hangs on, if any.
type ObjectID struct {
	Kind   string `json:"kind"`
	Schema string `json:"schema,omitempty"`
	Table  string `json:"table,omitempty"`
	Name   string `json:"name"`
}

// String names the object for people.
func (o ObjectID) String() string {
	if o.Table != "" {
		return o.Kind + " " + o.Table + "." + o.Name
	}
	return o.Kind + " " + JoinName(o.Schema, o.Name)
}

// Phase says when an object is created.
type Phase string

// Phases, in order. Rows are loaded after Tables.
const (
	BeforeTables Phase = "before" // schemas, types, functions, sequences
	Tables       Phase = "tables"
	AfterData    Phase = "after" // keys, indexes, foreign keys
	AtEnd        Phase = "end"   // views, triggers, policies, grants: may fail one by one
)

// JoinName joins a schema and a name by a dot. A schema that has a dot or a quote in itself is
// quoted, so that no two pairs with a schema are joined to the same.
func JoinName(schema, name string) string {
	switch {
	case schema == "":
		return name
	case strings.ContainsAny(schema, `."`):
		schema = Quote(Postgres, schema)
	}
	return schema + "." + name
}

// SplitName parts what JoinName has joined; a name without a dot has no schema.
func SplitName(id string) (schema, name string) {
	if !strings.HasPrefix(id, `"`) {
		if schema, name, ok := strings.Cut(id, "."); ok {
			return schema, name
		}
		return "", id
	}
	end := 1
	for end < len(id) && (id[end] != '"' || strings.HasPrefix(id[end:], `""`)) {
		if id[end] == '"' {
			end++
		}
		end++
	}
	if !strings.HasPrefix(id[min(end, len(id)):], `".`) {
		return "", id
	}
	return strings.ReplaceAll(id[1:end], `""`, `"`), id[end+2:]
}

// Find returns the table with this ID; nil if there is none.
func (s *Schema) Find(id string) *Table {
	for _, t := range s.Tables {
		if t.ID() == id {
			return t
		}
	}
	return nil
}

// FindAlike returns the table of this schema that another schema's table would be: the same name
// in the same schema, or both in the default one; nil if there is none.
func (s *Schema) FindAlike(other *Schema, t *Table) *Table {
	plain := func(of *Schema, schema string) string {
		if schema == of.Namespace {
			return ""
		}
		return schema
	}
	for _, own := range s.Tables {
		if own.Name == t.Name && plain(s, own.Schema) == plain(other, t.Schema) {
			return own
		}
	}
	return nil
}

// Sequence returns the sequence with this ID; nil if there is none.
func (s *Schema) Sequence(id string) *Sequence {
	for _, q := range s.Sequences {
		if q.ID() == id {
			return q
		}
	}
	return nil
}

// Principal returns the owner of this name; nil if there is none.
func (s *Schema) Principal(name string) *Principal {
	for _, p := range s.Owners {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Filter chooses tables. The zero value takes all. A pattern is a name or a
// schema.name; * stands for any run of characters.
type Filter struct {
	Tables        []string
	ExcludeTables []string
	Schemas       []string
}

// Empty says that the filter takes everything.
func (f Filter) Empty() bool {
	return len(f.Tables) == 0 && len(f.ExcludeTables) == 0 && len(f.Schemas) == 0
}

// Takes says whether the table schema.name is wanted; namespace is the default
// schema, whose name a pattern may leave out.
func (f Filter) Takes(namespace, schema, name string) bool {
	if schema == "" {
		schema = namespace
	}
	if len(f.Schemas) > 0 && !matchAny(f.Schemas, schema) {
		return false
	}
	full := schema + "." + name
	if matchAny(f.ExcludeTables, name) || matchAny(f.ExcludeTables, full) {
		return false
	}
	return len(f.Tables) == 0 || matchAny(f.Tables, name) || matchAny(f.Tables, full)
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchStar(p, name) {
			return true
		}
	}
	return false
}

// matchStar matches name against a pattern in which * stands for any run. It
// goes back to the last star only, so that no pattern is slow.
func matchStar(pattern, name string) bool {
	p, n, star, resume := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// ApplyFilter removes tables that the filter does not take, with what hangs on
// them, from a schema that was read whole.
func ApplyFilter(s *Schema, f Filter) {
	if f.Empty() {
		return
	}
	gone := map[string]bool{}
	s.Tables = slices.DeleteFunc(s.Tables, func(t *Table) bool {
		gone[t.ID()] = !f.Takes(s.Namespace, t.Schema, t.Name)
		return gone[t.ID()]
	})
	s.Sequences = slices.DeleteFunc(s.Sequences, func(q *Sequence) bool { return gone[q.OwnerTable] })
	s.Objects = slices.DeleteFunc(s.Objects, func(o *Object) bool {
		return gone[o.Table] || o.Kind == "table" && gone[JoinName(o.Schema, o.Name)]
	})
	for _, t := range s.Tables {
		t.ForeignKeys = slices.DeleteFunc(t.ForeignKeys, func(k *ForeignKey) bool {
			if f.Takes(s.Namespace, k.RefSchema, k.RefTable) {
				return false
			}
			s.leaveOut(t.Part("foreign key", k.Name))
			return true
		})
	}
}

// leaveOut marks an object as unwanted.
func (s *Schema) leaveOut(id ObjectID) {
	for _, o := range s.Objects {
		if o.ObjectID == id {
			o.DDL, o.Lost = nil, LeftOut
			return
		}
	}
	s.Objects = append(s.Objects, &Object{ObjectID: id, Phase: AfterData, Lost: LeftOut})
}

// Unmatched lists the patterns that choose something but match nothing in a schema that the filter
// was applied to.
func (f Filter) Unmatched(s *Schema) []string {
	unmatched := func(pattern string, names func(schema, table string) []string) bool {
		return !slices.ContainsFunc(s.Tables, func(t *Table) bool {
			return slices.ContainsFunc(names(cmp.Or(t.Schema, s.Namespace), t.Name), func(name string) bool { return matchStar(pattern, name) })
		})
	}
	var out []string
	for _, p := range f.Tables {
		if unmatched(p, func(schema, table string) []string { return []string{table, schema + "." + table} }) {
			out = append(out, p)
		}
	}
	for _, p := range f.Schemas {
		if unmatched(p, func(schema, _ string) []string { return []string{schema} }) {
			out = append(out, p)
		}
	}
	return out
}

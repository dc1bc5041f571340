package ddl

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Dialect is what the mapper knows of an engine. The facts come first; the
// functions below them are needed except where they say otherwise.
type Dialect struct {
	Engine string
	Names  NameRules
	Spaces Spaces
	// Namespace receives tables of the source's default schema; "" where an engine
	// knows one schema only.
	Namespace string
	// Schemas says that there are several; else a schema becomes part of a name.
	Schemas bool

	// Around is what is there already, where tables are made beside it. Nil: nothing is.
	Around *Around

	// Inline says that CREATE TABLE holds the primary key and checks,
	// InlineForeign that it holds foreign keys; else they are made after the rows.
	Inline, InlineForeign bool
	// Filler is the column of a table that has none; Columnless says that there
	// may be such tables.
	Filler     string
	Columnless bool
	Tail       string // what ends CREATE TABLE
	// Ending is what else ends it, of one table. Nil: nothing does.
	Ending func(t *database.Table) string
	Null   string // what is said of a column that may be null, if anything

	Uniques UniqueForm
	Nulls   NullRule
	// Deferral says that foreign keys can be deferred, KeyDeferral that keys can;
	// MatchFull that foreign keys can ask for all or none of their columns.
	Deferral, KeyDeferral, MatchFull bool
	// NotValid is what stands after the table's name and at the end of a constraint
	// that existing rows were not checked for; nil: there is no such thing.
	NotValid *[2]string
	// Lenient says that rows are not held to checks and foreign keys when these are
	// made: what breaks them is looked for afterwards.
	Lenient bool
	Refers  ReferRule
	// LooseActions says that the engine refuses some actions of foreign keys only
	// when they are made.
	LooseActions bool

	Counters CounterRule
	// StepOne says that counters go up by one, and never round.
	StepOne bool
	// StoredOnly says that computed columns are stored.
	StoredOnly bool
	// ComputedNotNull says that computed columns may be NOT NULL.
	ComputedNotNull bool
	// ComputedDefaults says that a default may be an expression.
	ComputedDefaults bool

	// KeyBytes bounds the columns of a key together, of which those of kinds in
	// FixedKinds take FixedBytes each; 0: nothing does.
	KeyBytes, FixedBytes int
	FixedKinds           []database.Kind
	// IndexedOnce says that one list of columns has one index, a key's included.
	IndexedOnce bool
	// Filtered says that indexes may have a condition, Include that they may
	// include columns, Expressions that they may be over expressions, Ascending
	// that they cannot be the other way.
	Filtered, Include, Expressions, Ascending bool
	// Methods are the kinds of index that the source's family shares; Using says that
	// an index names its kind.
	Methods []string
	Using   bool

	// TableComment and ColumnComment are the longest comments, in what
	// CommentLength counts; 0: nothing bounds them.
	TableComment, ColumnComment int
	CommentLength               func(string) int // nil where nothing bounds them
	// LargeObjects says that the engine has them, and tables of them are not made;
	// LargeObjectsLost is what a table of them lacks.
	LargeObjects     bool
	LargeObjectsLost string

	// Type chooses a column's type.
	Type func(Asked) Mapped
	// Settle changes types after all were chosen, with a view to each other. Nil:
	// they stay.
	Settle func([]*Draft)
	// Now spells the current time as a default, Literal a value.
	Now     func(to Mapped) (string, bool)
	Literal func(c database.Cell, to Mapped) (string, bool)
	// Own says that an expression is in the engine's words and may stay. Nil: none.
	Own func(database.Expr) bool
	// Comparable says that values of a column compare and compute alike on both
	// sides; Computes the same of generated columns, nil: as Comparable.
	Comparable, Computes func(from database.Type, to Mapped) bool
	// Identity is the clause of a counting column; q may be nil.
	Identity func(q *database.Sequence, always bool) string
	// Generated is what follows the column's name in place of a type; "" where the
	// engine has no such column.
	Generated func(to Mapped, expr string, stored bool) string
	// Extra is what else a column has, with what it is; nil: nothing.
	Extra func(t *database.Table, c *database.Column, to Mapped) (string, database.ObjectID)
	// Sequence makes a free counter; nil: the engine has none.
	Sequence func(name string, q *database.Sequence) string
	// Actions takes from a foreign key what the engine does not know, and says so.
	// Nil: it knows all.
	Actions func(d *Draft, k *database.ForeignKey) (lost string)
	// Indexed says that a column has a place in an index. Nil: every one has.
	Indexed func(Mapped) bool
	// Prefix says how much of a column an index over so many takes: a clause, and
	// whether long values are cut; in a key, asked is -1. Nil: always all of it.
	Prefix func(to Mapped, asked, columns int) (clause string, cut bool)
	// Comment makes a statement of a comment; column is "" for the table's. Remark
	// is a comment inside CREATE TABLE. Both nil: there are no comments.
	Comment func(schema, table, column, text string) string
	Remark  func(column bool, text string) string

	// KeyWords is what stands between PRIMARY KEY or UNIQUE and the columns,
	// IndexWords what stands before INDEX, IndexTail what ends an index; natively
	// only, nil: nothing.
	KeyWords, IndexWords, IndexTail func(t *database.Table, name string) string
}

// UniqueForm is how an engine makes unique keys.
type UniqueForm int

// Forms of unique keys.
const (
	AsConstraint UniqueForm = iota
	AsIndex                 // CREATE UNIQUE INDEX
	AsKey                   // ALTER TABLE … ADD UNIQUE KEY, and so with every index
)

// NullRule says how nulls compare in a unique key.
type NullRule int

// Rules for nulls.
const (
	NullsDiffer NullRule = iota
	NullsCollide
	NullsChosen // the key says it
)

// ReferRule says what a foreign key may refer to.
type ReferRule int

// Rules for what is referred to.
const (
	ToKeys    ReferRule = iota // primary and unique keys
	ToIndexes                  // unique indexes too
	ToHeads                    // and columns that one of these begins with
)

// CounterRule says which columns can count by themselves.
type CounterRule int

// Rules for counters.
const (
	CountsAny   CounterRule = iota // every integer
	CountsOne                      // one of a table
	CountsKeyed                    // one integer that begins a key
	CountsRow                      // the column that is the primary key by its type
)

// Asked is what a Dialect is told of a column whose type it maps.
type Asked struct {
	Table  *database.Table
	Column *database.Column
	Engine string // the source's
	// NotNull is the column's, but for what PlanOptions.ZeroDates loosens.
	NotNull bool
	// Keyed says that the column is part of a key, a unique index or a reference,
	// Unique that it is part of one of the first two.
	Keyed, Unique bool
	// Room is how many bytes the column may take there, if the engine has a bound
	// for all columns of a key together; 0: it has none.
	Room int
	Opts database.PlanOptions
}

// Mapped is what a column's type becomes.
type Mapped struct {
	SQL     string // the type in DDL
	Clause  string // what belongs to it there and is no part of its name
	Type    database.Type
	Convert *database.Conversion
	Lost    string // why it is not exact
	Code    database.Code
	Check   string   // a condition that goes with the type, on %s
	Labels  []string // those of a type to be made, in place of SQL
	Key     bool     // the type makes the column the primary key
	Room    int      // as in Asked
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

func (d *Dialect) texts(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = database.QuoteText(d.Engine, v)
	}
	return strings.Join(out, ", ")
}

package database

import (
	"fmt"
	"slices"
	"strings"
)

// Sound says that a schema which was stored somewhere is one that a source could have given:
// nothing is missing that has to be there, and every choice is one of those that are known. An
// error is an ErrUnsound. What stands in Type.Native, in an Expr and in DDL is left to the engine
// that uses it.
func (s *Schema) Sound() error {
	for _, t := range s.Tables {
		if t == nil {
			return fmt.Errorf("%w: a table is null", ErrUnsound)
		}
		c := soundness{engine: s.Engine, table: t}
		if c.check(); c.wrong != "" {
			return fmt.Errorf("%w: table %s: %s", ErrUnsound, t.ID(), c.wrong)
		}
	}
	for _, q := range s.Sequences {
		if q == nil || holdsNUL(q.Schema, q.Name) {
			return fmt.Errorf("%w: a sequence has no name that one can have", ErrUnsound)
		}
	}
	for _, o := range s.Objects {
		if o == nil || o.Kind == "" || holdsNUL(o.Kind, o.Schema, o.Table, o.Name) || !slices.Contains(phases, o.Phase) {
			return fmt.Errorf("%w: an object has no name or phase that one can have", ErrUnsound)
		}
	}
	if slices.Contains(s.Owners, nil) {
		return fmt.Errorf("%w: an owner is null", ErrUnsound)
	}
	return nil
}

var phases = []Phase{BeforeTables, Tables, AfterData, AtEnd}

func holdsNUL(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.ContainsRune(name, 0) })
}

// soundness collects the first thing that is wrong with a table.
type soundness struct {
	engine string
	table  *Table
	wrong  string
}

// need notes what is wrong unless a condition holds.
func (c *soundness) need(ok bool, format string, args ...any) {
	if !ok && c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

func (c *soundness) check() {
	t := c.table
	c.need(!holdsNUL(t.Schema, t.Name), "its name holds a NUL")
	c.need(t.Role == Data || t.Role == LargeObjects && len(t.Columns) == 3, "the role %q is unknown", t.Role)
	for _, col := range t.Columns {
		if c.need(col != nil, "a column is null"); col == nil {
			return
		}
		c.column(col)
	}
	if k := t.PrimaryKey; k != nil {
		c.key(k)
	}
	for _, k := range t.Uniques {
		if c.need(k != nil, "a key is null"); k != nil {
			c.key(k)
		}
	}
	for _, k := range t.ForeignKeys {
		if c.need(k != nil, "a foreign key is null"); k != nil {
			c.foreignKey(k)
		}
	}
	for _, k := range t.Checks {
		if c.need(k != nil, "a check is null"); k != nil {
			c.expr(&k.Expr)
		}
	}
	for _, x := range t.Indexes {
		if c.need(x != nil, "an index is null"); x != nil {
			c.index(x)
		}
	}
}

func (c *soundness) column(col *Column) {
	c.need(!holdsNUL(col.Name), "a column's name holds a NUL")
	c.typ(&col.Type, 0)
	if col.Default != nil {
		c.expr(col.Default)
	}
	if col.Generated != nil {
		c.expr(&col.Generated.Expr)
	}
}

func (c *soundness) typ(t *Type, depth int) {
	c.need(depth < 32 && slices.Contains(allKinds, t.Kind), "a type of kind %q, %d deep, is unknown", t.Kind, depth)
	if t.Base != nil && c.wrong == "" {
		c.typ(t.Base, depth+1)
	}
}

func (c *soundness) expr(e *Expr) {
	c.need(!holdsNUL(e.SQL), "an expression holds a NUL")
}

func (c *soundness) key(k *Key) {
	c.need(len(k.Columns) > 0 && !holdsNUL(append(k.Columns[:len(k.Columns):len(k.Columns)], k.Name)...), "the key %q is over nothing", k.Name)
	c.deferral(k.Deferrable)
}

func (c *soundness) deferral(d Deferral) {
	c.need(slices.Contains([]Deferral{Immediate, Deferrable, InitiallyDeferred}, d), "the deferral %q is unknown", d)
}

func (c *soundness) foreignKey(k *ForeignKey) {
	actions := []Action{NoAction, Restrict, Cascade, SetNull, SetDefault}
	c.need(slices.Contains(actions, k.OnDelete) && slices.Contains(actions, k.OnUpdate), "the actions %q and %q are unknown", k.OnDelete, k.OnUpdate)
	// Oracle may hide to what a key refers, and in SQLite it need not be there.
	hidden := len(k.RefColumns) < len(k.Columns) && Family(c.engine) != MySQL
	c.need(len(k.Columns) > 0 && (hidden || len(k.Columns) == len(k.RefColumns)), "the foreign key %q has %d columns for %d", k.Name, len(k.Columns), len(k.RefColumns))
	c.need(!holdsNUL(slices.Concat(k.Columns, k.RefColumns, []string{k.Name, k.RefSchema, k.RefTable})...), "a foreign key's name holds a NUL")
	c.deferral(k.Deferrable)
}

func (c *soundness) index(x *Index) {
	c.need(len(x.Parts) > 0 && !holdsNUL(append([]string{x.Name, x.Method}, x.Include...)...), "the index %q is over nothing", x.Name)
	for _, p := range x.Parts {
		if c.need(!holdsNUL(p.Column), "a column's name holds a NUL"); p.Expr != nil {
			c.expr(p.Expr)
		}
	}
	if x.Where != nil {
		c.expr(x.Where)
	}
}

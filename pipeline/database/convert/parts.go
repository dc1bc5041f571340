package convert

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/expr"
)

// compareParts compares checks, defaults and indexes. These read differently in every engine, and a
// mapper does not describe them; so the plan's findings tell which of the source's the copy must
// have.
func compareParts(plan *database.Plan, t *database.PlannedTable, found *database.Table, actual *database.Schema) []error {
	alike := plan.Native && plan.Source.Engine == actual.Engine && major(plan.Source.Version) == major(actual.Version)
	c := &partComparer{table: t, found: found, native: plan.Native, alike: alike, status: map[string]database.Status{}}
	for _, f := range slices.Concat(plan.Findings, actual.Findings) {
		name := f.Object.String()
		if before, ok := c.status[name]; !ok || before == database.Exact {
			c.status[name] = f.Status
		}
	}
	c.checks()
	c.defaults()
	c.generated()
	c.indexes()
	return c.differences
}

func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}

type partComparer struct {
	table       *database.PlannedTable
	found       *database.Table
	native      bool
	alike       bool                       // both sides are of one version
	status      map[string]database.Status // by the object's name
	differences []error
}

// wanted says that a part of the source's table must be in the copy.
func (c *partComparer) wanted(kind, name string) bool {
	status, ok := c.status[c.table.Source.Part(kind, name).String()]
	if !ok {
		return c.native
	}
	return status == database.Exact || status == database.Approximated
}

func (c *partComparer) differ(format string, args ...any) {
	c.differences = append(c.differences, fmt.Errorf("table %s: %w: %s", c.table.Target.ID(), database.ErrMismatch, fmt.Sprintf(format, args...)))
}

// checks counts; engines add some of their own.
func (c *partComparer) checks() {
	want := 0
	for _, k := range c.table.Source.Checks {
		if c.wanted("check", k.Name) {
			want++
		}
	}
	if got := len(c.found.Checks); got < want {
		c.differ("it has %d checks, want %d", got, want)
	}
}

func (c *partComparer) defaults() {
	for i, src := range c.table.Source.Columns {
		if src.Default == nil || !c.wanted("default", src.Name) {
			continue
		}
		got := c.found.Column(c.table.Target.Columns[i].Name)
		switch {
		case got == nil: // told by its table's columns
		case got.Default == nil && got.Identity == nil && got.Generated == nil && !isNull(src.Default):
			c.differ("column %s has no default, want %s", got.Name, src.Default.SQL)
		case got.Default != nil && literalsDiffer(src.Type.Kind, src.Default, got.Default):
			c.differ("the default of column %s is %s, want %s", got.Name, got.Default.SQL, src.Default.SQL)
		}
	}
}

// generated compares how columns are computed whose values are not compared. Servers of one version
// spell it alike.
func (c *partComparer) generated() {
	for i, src := range c.table.Source.Columns {
		out := c.table.Target.Columns[i]
		got := c.found.Column(out.Name)
		if !c.alike || !out.Unread || src.Generated == nil || got == nil {
			continue
		}
		if got.Generated == nil || got.Generated.Expr != src.Generated.Expr {
			c.differ("column %s is not generated as %s", got.Name, src.Generated.Expr.SQL)
		}
	}
}

func isNull(e *database.Expr) bool {
	c, ok := expr.Literal(*e)
	return ok && c.Class == database.ClassNull
}

// literalsDiffer compares where every engine spells a value alike.
func literalsDiffer(kind database.Kind, want, got *database.Expr) bool {
	if kind != database.Int && kind != database.Text {
		return false
	}
	a, ok := expr.Literal(*want)
	b, also := expr.Literal(*got)
	return ok && also && a.Class == b.Class && (a.Int != b.Int || !bytes.Equal(a.Bytes, b.Bytes))
}

// indexes wants every index to be there, under any name; a copy may have more.
func (c *partComparer) indexes() {
	var have []string
	for _, x := range c.found.Indexes {
		have = append(have, indexShape(x, nil))
	}
	for _, k := range c.found.Uniques {
		have = append(have, "unique "+strings.ToLower(strings.Join(k.Columns, ",")))
	}
	names := map[string]string{}
	for i, src := range c.table.Source.Columns {
		names[src.Name] = c.table.Target.Columns[i].Name
	}
	for _, x := range c.table.Source.Indexes {
		if want := indexShape(x, names); c.wanted("index", x.Name) && !slices.Contains(have, want) {
			c.differ("it has no %s: index %s is missing or covers something else", want, x.Name)
		}
	}
}

// indexShape tells what an index covers; names, if any, are what columns are called in the copy.
func indexShape(x *database.Index, names map[string]string) string {
	var parts []string
	for _, p := range x.Parts {
		name := p.Column
		if other, ok := names[name]; ok {
			name = other
		}
		if p.Expr != nil {
			name = "an expression"
		}
		parts = append(parts, strings.ToLower(name))
	}
	if x.Unique {
		return "unique " + strings.Join(parts, ",")
	}
	return "index on " + strings.Join(parts, ",")
}

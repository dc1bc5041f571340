package fit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
)

// rule is a rule with what it has met so far.
type rule struct {
	catalog.Rule
	source string // which refers
	place  string // TABLE.COLUMN, or TABLE where there are parts
	parts  []part

	table   *database.Table // that it is about; nil: it was not found
	columns []int           // of the parts that are columns, in their order
	keys    []int           // columns that tell rows apart
	failed  string          // why the rule cannot be tested
	read    bool            // the table was read

	rows  uint64
	spool spool
	path  []byte // of the row, as it stands in the database
	rest  []byte // of the record
}

// noPath are kinds of columns whose values are no paths.
var noPath = []database.Kind{database.Float, database.JSON, database.Array, database.Geometry, database.Bits, database.Set, database.Interval}

// bind finds the columns that the rule is about.
func (r *rule) bind(s *database.Schema) {
	r.table, r.columns, r.keys, r.failed, r.read = nil, nil, nil, "", false
	r.spool.reset()
	table, columns, err := r.find(s)
	if err == nil {
		err = r.bindColumns(table, columns)
	}
	if err != nil {
		r.failed = err.Error()
		return
	}
	r.table, r.keys = table, keysOf(table)
}

// find finds the table, and the names of the columns.
func (r *rule) find(s *database.Schema) (*database.Table, []string, error) {
	for _, t := range s.Tables {
		for _, name := range namesOf(s, t) {
			column, with := strings.CutPrefix(r.place, name+".")
			switch {
			case len(r.parts) > 0 && r.place == name:
				return t, columnsOf(r.parts), nil
			case len(r.parts) == 0 && with && (t.Column(column) != nil || !strings.Contains(column, ".")):
				return t, []string{column}, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("the database has no such table; its tables are %s (views have no rows in a snapshot)", listed(s.Tables, (*database.Table).ID))
}

// namesOf are the names that mean a table: with its schema and, where it needs none, without.
func namesOf(s *database.Schema, t *database.Table) (names []string) {
	schema := t.Schema
	if schema == "" || schema == s.Namespace {
		schema, names = s.Namespace, []string{t.Name}
	}
	if schema != "" {
		names = append(names, schema+"."+t.Name)
	}
	return names
}

func columnsOf(parts []part) (names []string) {
	for _, p := range parts {
		if p.column != "" {
			names = append(names, p.column)
		}
	}
	return names
}

// mostListed bounds the names that an error lists.
const mostListed = 40

// listed are the names of things, the first of them.
func listed[T any](all []T, name func(T) string) string {
	var names []string
	for _, each := range all[:min(len(all), mostListed)] {
		names = append(names, name(each))
	}
	if more := len(all) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// bindColumns finds the columns of these names, whose values can be paths.
func (r *rule) bindColumns(t *database.Table, names []string) error {
	for _, name := range names {
		i := slices.IndexFunc(t.Columns, func(c *database.Column) bool { return c.Name == name })
		if i < 0 {
			return fmt.Errorf("table %s has no column %s; its columns are %s", t.ID(), name,
				listed(t.Columns, func(c *database.Column) string { return c.Name }))
		}
		switch c := t.Columns[i]; {
		case c.Unread:
			return fmt.Errorf("column %s of table %s is computed by code of the database's users, and is not read", name, t.ID())
		case slices.Contains(noPath, c.Type.Kind):
			return fmt.Errorf("column %s of table %s is of the kind %s, whose values are no paths", name, t.ID(), c.Type.Kind)
		}
		r.columns = append(r.columns, i)
	}
	return nil
}

// keysOf are the columns that tell the rows of a table apart; of one without a key the first three.
func keysOf(t *database.Table) (keys []int) {
	names := t.KeyOrder()
	for i, c := range t.Columns {
		if slices.Contains(names, c.Name) || len(names) == 0 && i < 3 {
			keys = append(keys, i)
		}
	}
	return keys
}

// begin begins the table from its first row.
func (r *rule) begin() {
	r.spool.reset()
	r.rows, r.read, r.failed = 0, true, ""
}

// take takes a row, or what keeps it from being read.
func (r *rule) take(cells []database.Cell, err error) {
	if r.failed != "" {
		return
	}
	if err == nil {
		err = r.put(cells)
	}
	if err != nil {
		r.failed = err.Error()
		r.spool.reset()
	}
}

// put puts what a row refers to aside.
func (r *rule) put(cells []database.Cell) error {
	cause := r.compose(cells)
	if cause == isNull && !r.Nulls {
		return nil
	}
	r.rows++
	value := r.path
	var path []byte
	if cause == isPath {
		path, cause = resolve(value, r.Strip)
	}
	r.rest = appendRecord(r.rest[:0], cause, value, path, func(dst []byte) []byte { return appendKey(dst, r.table, r.keys, cells) })
	return r.spool.put(path, r.rest)
}

// compose makes the path of a row of its columns.
func (r *rule) compose(cells []database.Cell) (c cause) {
	r.path = r.path[:0]
	if len(r.parts) == 0 {
		r.path, c = appendText(r.path, &cells[r.columns[0]])
		return c
	}
	next := 0
	for _, p := range r.parts {
		if p.column == "" {
			r.path = append(r.path, p.text...)
			continue
		}
		r.path, c = appendText(r.path, &cells[r.columns[next]])
		if next++; c != isPath {
			return c
		}
	}
	return isPath
}

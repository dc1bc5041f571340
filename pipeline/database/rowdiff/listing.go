package rowdiff

import (
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
)

// listed is how many rows of a table a Listing holds.
const listed = 5

// Listing holds, in words, the first rows of each table that differ. The zero value holds none.
type Listing struct {
	lines map[string][]string
	rows  map[string]int64
}

// Note adds a row, if it is one of the first of its table.
func (l *Listing) Note(t *Table, c *Change) {
	if l.lines == nil {
		l.lines, l.rows = map[string][]string{}, map[string]int64{}
	}
	lines := l.lines[t.ID()]
	if len(lines) >= listed {
		return
	}
	cells := c.Before
	if cells == nil {
		cells = c.After
	}
	text := string(c.Kind) + " " + database.RowAddress(t.Table, cells)
	if c.Count > 1 {
		text += fmt.Sprintf(", %d times", c.Count)
	}
	l.lines[t.ID()] = append(lines, text)
	l.rows[t.ID()] += c.Count
}

// Lines are the first rows of a table: each its kind and its key, or values if it has no key.
func (l *Listing) Lines(table string) []string { return l.lines[table] }

// Left is how many of the rows of a table that differ have no line.
func (l *Listing) Left(r Result) int64 { return r.Added + r.Removed + r.Changed - l.rows[r.Table] }

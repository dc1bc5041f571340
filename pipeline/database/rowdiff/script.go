package rowdiff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// Script writes statements that put back what the first state of a database has and the second lacks:
// one transaction in the dialect of an engine. Take is what Compare is given; End ends it.
type Script struct {
	engine    string
	source    string // the engine of the source
	namespace string
	updates   bool
	out       io.Writer
	later     *os.File // updates, which follow all rows, in a file without a name
	table     *Table
	columns   []int // of the open table, those that are written
	values    bytes.Buffer
	rows      int
	lax       bool  // the row that was spelt last is refused by a strict session
	Inserts   int64 // rows
	Updates   int64
}

// NewScript begins a script in the dialect of an engine for a database of schema s. With updates,
// rows that were changed are set back to what they were. aside is where statements wait; empty:
// where temporary files go.
func NewScript(out io.Writer, engine string, s *database.Schema, updates bool, aside string) (*Script, error) {
	header, ok := headers[database.Family(engine)]
	if !ok {
		return nil, fmt.Errorf("%w: no script can be written for %s, only for %s, %s, %s and %s", database.ErrRefused, engine, database.Postgres, database.MySQL, database.MariaDB, database.SQLite)
	}
	later, err := os.CreateTemp(aside, ".packstone-sql-")
	if err != nil {
		return nil, fmt.Errorf("put statements aside: %w", err)
	}
	w := &Script{engine: database.Family(engine), source: database.Family(s.Engine), namespace: s.Namespace, updates: updates, out: out, later: later}
	if err := errors.Join(os.Remove(later.Name()), w.write(header)); err != nil {
		return nil, errors.Join(err, later.Close())
	}
	return w, nil
}

// headers set a session up to read values as they are written, and begin the transaction.
var headers = map[string]string{
	database.Postgres: `BEGIN;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL standard_conforming_strings = on;
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL lc_monetary = 'C';
SET LOCAL row_security = off;
SET CONSTRAINTS ALL DEFERRED;
`,
	database.MySQL: "SET NAMES utf8mb4;\nSET SESSION time_zone = '+00:00';\n" + strict + "START TRANSACTION;\n",
	database.SQLite: `.bail on
PRAGMA foreign_keys = ON;
BEGIN IMMEDIATE;
PRAGMA defer_foreign_keys = ON;
`,
}

// Sessions of MySQL are strict, but for what a column holds that no strict one takes.
const (
	strict = "SET SESSION sql_mode = 'STRICT_ALL_TABLES," + laxModes + "';\n"
	lax    = "SET SESSION sql_mode = '" + laxModes + "';\n"

	laxModes = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_BACKSLASH_ESCAPES"
)

func (w *Script) write(text string) error {
	_, err := io.WriteString(w.out, text)
	return err
}

// Take writes what puts a change back, if anything does.
func (w *Script) Take(t *Table, c *Change) error {
	if w.table != t {
		if err := w.flushRows(); err != nil {
			return err
		}
		w.begin(t)
	}
	switch {
	case c.Kind == Removed:
		for range c.Count {
			if err := w.insert(c.Before); err != nil {
				return err
			}
		}
	case c.Kind == Changed && w.updates:
		return w.update(c)
	}
	return nil
}

func (w *Script) begin(t *Table) {
	w.table, w.columns = t, nil
	for i, c := range t.Columns {
		if c.Generated == nil && !c.Unread {
			w.columns = append(w.columns, i)
		}
	}
}

// A statement has so many rows, or so many bytes, at most.
const (
	rowsAtOnce  = 200
	bytesAtOnce = 256 << 10
)

func (w *Script) insert(cells []database.Cell) error {
	row, err := w.row(cells, w.columns)
	if err != nil {
		return err
	}
	alone := w.lax
	w.lax = false
	if w.rows > 0 && (alone || w.rows == rowsAtOnce || w.values.Len()+len(row) > bytesAtOnce) {
		if err := w.flushRows(); err != nil {
			return err
		}
	}
	if w.rows > 0 {
		w.values.WriteString(",\n")
	}
	w.values.WriteString("  (" + strings.Join(row, ", ") + ")")
	w.rows++
	w.Inserts++
	if !alone {
		return nil
	}
	w.lax = true
	return w.flushRows()
}

// row spells cells of some columns.
func (w *Script) row(cells []database.Cell, columns []int) ([]string, error) {
	out := make([]string, len(columns))
	w.lax = false
	for n, i := range columns {
		w.lax = w.lax || w.engine == database.MySQL && isInvalid(w.table.Columns[i].Type, cells[i])
		text, err := literal(w.engine, w.table.Columns[i].Type, cells[i])
		if err != nil {
			return nil, database.NewValueError(w.table.Table, i, cells, err)
		}
		out[n] = text
	}
	return out, nil
}

// isInvalid says that a cell is MySQL's mark for a label that an enumeration does not have.
func isInvalid(t database.Type, c database.Cell) bool {
	return t.Kind == database.Enum && c.Class == database.ClassText && len(c.Bytes) == 0 && !slices.Contains(t.Values, "")
}

// laxly puts a statement that a strict session refuses between what loosens and tightens it.
func (w *Script) laxly(statement string) string {
	if !w.lax {
		return statement
	}
	return lax + statement + strict
}

func (w *Script) flushRows() error {
	if w.rows == 0 {
		return nil
	}
	head := "INSERT INTO " + w.name()
	if len(w.columns) > 0 {
		head += " (" + strings.Join(w.names(w.columns), ", ") + ")"
	}
	if w.engine == database.Postgres {
		head += " OVERRIDING SYSTEM VALUE"
	}
	err := w.write(w.laxly(head + " VALUES\n" + w.values.String() + ";\n"))
	w.values.Reset()
	w.rows, w.lax = 0, false
	return err
}

// name is how the script's engine calls the open table.
func (w *Script) name() string {
	schema := w.table.Schema
	switch {
	case schema == "" || w.engine != database.Postgres && schema == w.namespace:
		return database.Quote(w.engine, w.table.Name)
	case w.engine != database.Postgres:
		return database.Quote(w.engine, schema+"__"+w.table.Name)
	}
	return database.Quote(w.engine, schema) + "." + database.Quote(w.engine, w.table.Name)
}

func (w *Script) names(columns []int) []string {
	out := make([]string, len(columns))
	for n, i := range columns {
		out[n] = database.Quote(w.engine, w.table.Columns[i].Name)
	}
	return out
}

// update writes what sets a row back, behind all rows that are missing: it may refer to one.
func (w *Script) update(c *Change) error {
	defer func() { w.lax = false }() // rows that wait are none of these
	var sets, where []string
	loosened := false
	for n, name := range w.names(w.columns) {
		i := w.columns[n]
		text, err := w.row(c.Before, []int{i})
		switch {
		case err != nil:
			return err
		case slices.Contains(w.table.Key, w.table.Columns[i].Name):
			where = append(where, name+" = "+text[0])
		case !same(c.Before[i], c.After[i]):
			sets, loosened = append(sets, name+" = "+text[0]), loosened || w.lax
		}
	}
	if len(sets) == 0 || len(where) < len(w.table.Key) {
		return nil
	}
	w.Updates++
	w.lax = loosened
	_, err := io.WriteString(w.later, w.laxly("UPDATE "+w.name()+" SET "+strings.Join(sets, ", ")+" WHERE "+strings.Join(where, " AND ")+";\n"))
	return err
}

func same(a, b database.Cell) bool {
	batch := database.NewBatch()
	defer batch.Release()
	batch.Cell(a)
	batch.EndRow()
	batch.Cell(b)
	batch.EndRow()
	return bytes.Equal(batch.Row(0), batch.Row(1))
}

// End writes the updates and ends the transaction.
func (w *Script) End() error {
	if err := w.flushRows(); err != nil {
		return err
	}
	if _, err := w.later.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(w.out, w.later); err != nil {
		return err
	}
	return w.write("COMMIT;\n")
}

// Close drops what waits.
func (w *Script) Close() error { return w.later.Close() }

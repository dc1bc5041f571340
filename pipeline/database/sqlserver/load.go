package sqlserver

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	client "github.com/microsoft/go-mssqldb"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// Limits of one statement.
const (
	maxParameters = 2000
	maxRows       = 1000
)

var errMoment = errors.New("SQL Server has no such date or time")

// layouts of canonical dates and times.
var layouts = map[database.Kind]string{
	database.Date: "2006-01-02", database.Time: "15:04:05.999999999",
	database.Timestamp: "2006-01-02 15:04:05.999999999", database.TimestampTZ: "2006-01-02 15:04:05.999999999-07:00",
}

// parseMoment reads a canonical date or time in full.
func parseMoment(k database.Kind, text string) (time.Time, error) {
	at, err := time.Parse(layouts[k], text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %q", errMoment, text)
	}
	_, offset := at.Zone()
	if k != database.Time && (at.Year() < 1 || at.UTC().Year() < 1 || at.UTC().Year() > 9999) || offset%60 != 0 || offset < -14*3600 || offset > 14*3600 {
		return time.Time{}, fmt.Errorf("%w: %q", errMoment, text)
	}
	return at, nil
}

// binding says how a column's cells are written.
type binding struct {
	bulk  bool // bulk copy takes them
	plain bool // only what is ASCII
	value func(database.Cell) (any, error)
	// insert is the expression for INSERT, with %s for the parameter; empty for a
	// sql_variant, whose type is told by the value.
	insert string
}

// bindingOf chooses how to write a column of the target.
func bindingOf(c *column) binding {
	cast := "CAST(%s AS " + strings.Split(c.native(), " COLLATE ")[0] + ")"
	switch c.base {
	case "bit":
		return binding{bulk: true, value: bitValue, insert: cast}
	case "tinyint", "smallint", "int", "bigint":
		return binding{bulk: true, value: intValue, insert: cast}
	case "decimal", "numeric", "money", "smallmoney":
		return binding{bulk: true, value: textValue, insert: cast}
	case "real", "float":
		return binding{bulk: true, value: floatValue, insert: cast}
	case "nchar", "nvarchar":
		return binding{bulk: true, value: textValue, insert: cast}
	case "char", "varchar":
		return binding{bulk: true, plain: c.codePage(), value: textValue, insert: "CAST(%s AS nvarchar(max))"}
	case "binary", "varbinary":
		return binding{bulk: true, value: bytesValue, insert: cast}
	case "timestamp":
		return binding{value: bytesValue, insert: "CAST(%s AS binary(8))"}
	case "date":
		return binding{bulk: true, value: momentValue(database.Date), insert: "CAST(%s AS date)"}
	case "time":
		return binding{bulk: true, value: momentValue(database.Time), insert: cast}
	case "smalldatetime", "datetime", "datetime2":
		return binding{bulk: true, value: momentValue(database.Timestamp), insert: cast}
	case "datetimeoffset":
		return binding{bulk: true, value: momentValue(database.TimestampTZ), insert: cast}
	case "uniqueidentifier":
		return binding{bulk: true, value: uuidValue, insert: cast}
	case "xml":
		return binding{value: textValue, insert: "CONVERT(xml, CAST(%s AS nvarchar(max)), 1)"}
	case "hierarchyid":
		return binding{value: textValue, insert: "CAST(CAST(%s AS nvarchar(4000)) AS hierarchyid)"}
	case "geography", "geometry":
		return binding{value: bytesValue, insert: "CAST(CAST(%s AS varbinary(max)) AS " + c.base + ")"}
	case "image":
		return binding{value: bytesValue, insert: "CAST(%s AS varbinary(max))"}
	case "sql_variant":
		return binding{value: textValue}
	}
	return binding{value: textValue, insert: "CAST(%s AS nvarchar(max))"}
}

func bitValue(c database.Cell) (any, error) { return c.Int != 0, nil }

func intValue(c database.Cell) (any, error) {
	if c.Class == database.ClassInt {
		return c.Int, nil
	}
	return nil, fmt.Errorf("%q does not fit", c.Bytes)
}

func floatValue(c database.Cell) (any, error) {
	if c.Class == database.ClassInt {
		return float64(c.Int), nil
	}
	return c.Float, nil
}

func textValue(c database.Cell) (any, error) {
	text, err := sqlengine.CellText(c)
	if err != nil {
		return nil, err
	}
	return text, nil
}

func bytesValue(c database.Cell) (any, error) { return append([]byte{}, c.Bytes...), nil }

func momentValue(k database.Kind) func(database.Cell) (any, error) {
	return func(c database.Cell) (any, error) {
		text := string(c.Bytes)
		if k == database.Timestamp && len(text) == 10 {
			text += " 00:00:00"
		}
		return parseMoment(k, text)
	}
}

// uuidValue gives the bytes in SQL Server's order: the first three groups
// little-endian.
func uuidValue(c database.Cell) (any, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(string(c.Bytes), "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, fmt.Errorf("%q is no UUID", c.Bytes)
	}
	for _, group := range [][2]int{{0, 4}, {4, 6}, {6, 8}} {
		for i, j := group[0], group[1]-1; i < j; i, j = i+1, j-1 {
			raw[i], raw[j] = raw[j], raw[i]
		}
	}
	return raw, nil
}

// loader writes the rows of one table: by bulk copy where it can, and what bulk
// copy would change by INSERT, once the copy is closed.
type loader struct {
	tx       *sql.Tx
	table    *database.Table
	columns  []int // of the table, without those that the server computes
	bindings []binding
	names    []string
	bulk     bool
	cells    []database.Cell
	copy     *sql.Stmt
	pending  [][]any // rows for INSERT
	bytes    int
}

func newLoader(tx *sql.Tx, raw *table, t *database.Table) (*loader, error) {
	l := &loader{tx: tx, table: t, bulk: true, cells: make([]database.Cell, len(t.Columns))}
	for i, c := range t.Columns {
		if c.Generated != nil {
			continue
		}
		col := raw.column(c.Name)
		if col == nil {
			return nil, fmt.Errorf("column %s.%s is not in the catalog", t.ID(), c.Name)
		}
		b := bindingOf(col)
		l.columns, l.bindings, l.names = append(l.columns, i), append(l.bindings, b), append(l.names, c.Name)
		l.bulk = l.bulk && b.bulk
	}
	return l, nil
}

// load takes all batches.
func (l *loader) load(ctx context.Context, next func() (*database.Batch, error)) error {
	err := database.EachBatch(next, func(b *database.Batch) error { return l.batch(ctx, b) })
	if err != nil {
		l.abandon()
		return err
	}
	return l.flush(ctx)
}

func (l *loader) abandon() {
	if l.copy != nil {
		l.copy.Close()
	}
}

func (l *loader) batch(ctx context.Context, b *database.Batch) error {
	for i := range b.Len() {
		if err := database.DecodeRow(l.cells, b.Row(i)); err != nil {
			return err
		}
		values, err := l.values()
		if err != nil {
			return err
		}
		if l.bulk && l.safe() {
			err = l.send(ctx, values)
		} else {
			err = l.defers(ctx, values, len(b.Row(i)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) values() ([]any, error) {
	out := make([]any, len(l.columns))
	for i, at := range l.columns {
		c := l.cells[at]
		if c.Class == database.ClassNull {
			continue
		}
		v, err := l.bindings[i].value(c)
		if err != nil {
			return nil, database.NewValueError(l.table, at, l.cells, err)
		}
		out[i] = v
	}
	return out, nil
}

// safe says that bulk copy would not change this row.
func (l *loader) safe() bool {
	for i, at := range l.columns {
		if l.bindings[i].plain && bytes.ContainsFunc(l.cells[at].Bytes, func(r rune) bool { return r > 0x7f }) {
			return false
		}
	}
	return true
}

// send gives a row to the bulk copy.
func (l *loader) send(ctx context.Context, values []any) (err error) {
	if l.copy == nil {
		statement := client.CopyIn(qualified(l.table.Schema, l.table.Name), client.BulkOptions{KeepNulls: true, Tablock: true}, l.names...)
		if l.copy, err = l.tx.PrepareContext(ctx, statement); err != nil {
			return fmt.Errorf("begin a bulk copy: %w", translate(err))
		}
	}
	if _, err := l.copy.ExecContext(ctx, values...); err != nil {
		return fmt.Errorf("copy a row: %w", translate(err))
	}
	return nil
}

// defers keeps a row for INSERT until there are many.
func (l *loader) defers(ctx context.Context, values []any, size int) error {
	l.pending, l.bytes = append(l.pending, values), l.bytes+size
	if l.bytes < database.BatchBytes && len(l.pending) < maxRows && (len(l.pending)+1)*len(l.columns) <= maxParameters {
		return nil
	}
	return l.flush(ctx)
}

// flush ends the bulk copy and inserts what waits.
func (l *loader) flush(ctx context.Context) error {
	if l.copy != nil {
		_, err := l.copy.ExecContext(ctx)
		closing := l.copy.Close()
		if l.copy = nil; err != nil {
			return fmt.Errorf("end the bulk copy: %w", translate(err))
		}
		if closing != nil {
			return fmt.Errorf("end the bulk copy: %w", translate(closing))
		}
	}
	if len(l.pending) == 0 {
		return nil
	}
	statement, args, err := l.insert()
	if err != nil {
		return err
	}
	if _, err := l.tx.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("insert %d rows: %w", len(l.pending), translate(err))
	}
	l.pending, l.bytes = nil, 0
	return nil
}

// insert spells one INSERT for all rows that wait.
func (l *loader) insert() (string, []any, error) {
	var rows []string
	var args []any
	for _, row := range l.pending {
		parts := make([]string, len(row))
		for i, v := range row {
			part, arg, err := l.bindings[i].expression(v, len(args)+1)
			if err != nil {
				return "", nil, fmt.Errorf("table %s, column %s: %w: %w", l.table.ID(), l.names[i], database.ErrValue, err)
			}
			if parts[i] = part; part != "NULL" {
				args = append(args, arg)
			}
		}
		rows = append(rows, "("+strings.Join(parts, ", ")+")")
	}
	return "INSERT INTO " + qualified(l.table.Schema, l.table.Name) + " (" + quoted(l.names) + ") VALUES " + strings.Join(rows, ", "), args, nil
}

// expression spells a value as SQL around parameter n.
func (b binding) expression(v any, n int) (sql string, arg any, err error) {
	parameter := "@p" + strconv.Itoa(n)
	switch v := v.(type) {
	case nil:
		return "NULL", nil, nil
	case time.Time:
		if v.Year() == 0 { // a time of day, which no parameter with a date can hold
			return strings.Replace(b.insert, "%s", parameter, 1), v.Format(layouts[database.Time]), nil
		}
	case string:
		if b.insert == "" {
			tag, text, _ := strings.Cut(v, ":")
			sql, ok := variantValue(tag, parameter)
			if !ok {
				return "", nil, fmt.Errorf("%q is no type of a sql_variant", tag)
			}
			return sql, text, nil
		}
	}
	return strings.Replace(b.insert, "%s", parameter, 1), v, nil
}

package oracle

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	client "github.com/sijms/go-ora/v2"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// arrayRows is how many rows are sent at once where that is possible.
const arrayRows = 1000

// shortBytes is the longest text that can be sent in an array.
const shortBytes = 4000

// binding says how a column's cells are sent.
type binding struct {
	sql   string // %s is a parameter; it may stand there twice
	large largeKind
	wide  bool // of the national character set
	text  func(database.Cell) (string, error)
	empty string // what stands in place of an empty value of a large one
}

type largeKind int

const (
	short     largeKind = iota // text of at most 4000 bytes
	longText                   // a CLOB
	longBytes                  // a BLOB
	aloneText                  // text of any length that no array can hold
	aloneBytes
)

// bindingOf chooses how to write a column of the target. want is the planned
// type.
func bindingOf(c *column, want database.Type) binding {
	text := binding{sql: "%s", text: sqlengine.CellText}
	switch c.family() {
	case "NUMBER", "FLOAT":
		text.sql = "TO_NUMBER(%s)"
	case "BINARY_FLOAT":
		return binding{sql: "CASE WHEN %s IS NOT NULL THEN UTL_RAW.CAST_TO_BINARY_FLOAT(HEXTORAW(%s)) END", text: hexOf(32)}
	case "BINARY_DOUBLE":
		return binding{sql: "CASE WHEN %s IS NOT NULL THEN UTL_RAW.CAST_TO_BINARY_DOUBLE(HEXTORAW(%s)) END", text: hexOf(64)}
	case "NVARCHAR2", "NCHAR":
		text.wide = true
	case "RAW":
		text.sql, text.text = "HEXTORAW(%s)", cellHex
		if c.length > shortBytes/2 {
			return binding{sql: "%s", large: aloneBytes, empty: "NULL"}
		}
	case "DATE":
		if want.Kind == database.Date {
			return binding{sql: momentSQL(database.Date), text: bindMoment(database.Date)}
		}
		return binding{sql: "TO_DATE(%s, '" + dateFormat + "')", text: dateText}
	case "TIMESTAMP":
		return binding{sql: momentSQL(database.Timestamp), text: bindMoment(database.Timestamp)}
	case "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH LOCAL TIME ZONE":
		return binding{sql: momentSQL(database.TimestampTZ), text: bindMoment(database.TimestampTZ)}
	case "INTERVAL YEAR TO MONTH":
		return binding{sql: "TO_YMINTERVAL(%s)", text: through(yearMonthTo)}
	case "INTERVAL DAY TO SECOND":
		return binding{sql: "TO_DSINTERVAL(%s)", text: through(daySecondTo)}
	case "BOOLEAN":
		text.sql = "CASE %s WHEN '1' THEN TRUE WHEN '0' THEN FALSE END"
	case "ROWID":
		text.sql = "CHARTOROWID(%s)"
	case "CLOB":
		return binding{sql: "%s", large: longText, empty: "EMPTY_CLOB()"}
	case "NCLOB":
		return binding{sql: "%s", large: longText, empty: "EMPTY_CLOB()", wide: true}
	case "BLOB":
		return binding{sql: "%s", large: longBytes, empty: "EMPTY_BLOB()"}
	case "XMLTYPE":
		return binding{sql: "XMLTYPE(%s)", large: longText, empty: "NULL"}
	case "JSON":
		return binding{sql: "JSON(%s)", large: longText, empty: "NULL"}
	case "VECTOR":
		return binding{sql: "TO_VECTOR(%s)", large: longText, empty: "NULL"}
	case "LONG":
		return binding{sql: "%s", large: aloneText, empty: "NULL"}
	case "LONG RAW":
		return binding{sql: "%s", large: aloneBytes, empty: "NULL"}
	}
	if c.length > shortBytes { // an extended VARCHAR2
		return binding{sql: "%s", large: aloneText, empty: "NULL", wide: text.wide}
	}
	return text
}

func through(spell func(string) (string, error)) func(database.Cell) (string, error) {
	return func(c database.Cell) (string, error) { return spell(string(c.Bytes)) }
}

func dateText(c database.Cell) (string, error) {
	text := string(c.Bytes)
	if !strings.Contains(text, ":") {
		text += " 00:00:00"
	}
	return momentTo(text, false, false)
}

func cellHex(c database.Cell) (string, error) { return hex.EncodeToString(c.Bytes), nil }

func hexOf(bits int) func(database.Cell) (string, error) {
	return func(c database.Cell) (string, error) {
		if c.Class == database.ClassInt {
			c.Float = float64(c.Int)
		}
		return floatHex(c.Float, bits), nil
	}
}

// loader writes rows of one table, in arrays where no column is large.
type loader struct {
	tx       *sql.Tx
	table    *database.Table
	columns  []int // of the table, without those that the server computes
	bindings []binding
	names    []string
	array    bool
	cells    []database.Cell
	arrays   [][]sql.NullString
	rows     int
	single   map[string]string // statements by the pattern of empty values
}

func newLoader(tx *sql.Tx, raw *table, t *database.Table) (*loader, error) {
	l := &loader{tx: tx, table: t, array: true, cells: make([]database.Cell, len(t.Columns)), single: map[string]string{}}
	for i, c := range t.Columns {
		if c.Generated != nil {
			continue
		}
		col := raw.column(c.Name)
		if col == nil {
			return nil, fmt.Errorf("column %s.%s is not in the catalog", t.ID(), c.Name)
		}
		b := bindingOf(col, c.Type)
		l.columns, l.bindings, l.names = append(l.columns, i), append(l.bindings, b), append(l.names, quote(c.Name))
		l.array = l.array && b.large == short
	}
	l.arrays = make([][]sql.NullString, len(l.columns))
	return l, nil
}

// statement spells the INSERT; empty marks columns whose value is empty.
func (l *loader) statement(empty []bool) string {
	values := make([]string, len(l.bindings))
	n := 0
	for i, b := range l.bindings {
		if empty != nil && empty[i] {
			values[i] = b.empty
			continue
		}
		values[i] = b.sql
		for strings.Contains(values[i], "%s") {
			n++
			values[i] = strings.Replace(values[i], "%s", ":"+strconv.Itoa(n), 1)
		}
	}
	return "INSERT INTO " + quote(l.table.Name) + " (" + strings.Join(l.names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
}

// load takes all batches.
func (l *loader) load(ctx context.Context, next func() (*database.Batch, error)) error {
	err := database.EachBatch(next, func(b *database.Batch) error { return l.batch(ctx, b) })
	if err != nil {
		return err
	}
	return l.flush(ctx)
}

func (l *loader) batch(ctx context.Context, b *database.Batch) error {
	for i := range b.Len() {
		if err := database.DecodeRow(l.cells, b.Row(i)); err != nil {
			return err
		}
		add := l.one
		if l.array {
			add = l.collect
		}
		if err := add(ctx); err != nil {
			return err
		}
	}
	return nil
}

// collect adds a row to the arrays. They hold copies.
func (l *loader) collect(ctx context.Context) error {
	for i, at := range l.columns {
		value, err := l.value(i, at)
		if err != nil {
			return err
		}
		l.arrays[i] = append(l.arrays[i], value)
	}
	if l.rows++; l.rows < arrayRows {
		return nil
	}
	return l.flush(ctx)
}

func (l *loader) value(i, at int) (sql.NullString, error) {
	c := l.cells[at]
	if c.Class == database.ClassNull {
		return sql.NullString{}, nil
	}
	text, err := l.bindings[i].text(c)
	if err == nil && len(text) > shortBytes {
		err = fmt.Errorf("text of %d bytes is longer than the column's", len(text))
	}
	if err != nil {
		return sql.NullString{}, database.NewValueError(l.table, at, l.cells, err)
	}
	return sql.NullString{String: text, Valid: true}, nil
}

// flush sends the arrays.
func (l *loader) flush(ctx context.Context) error {
	if l.rows == 0 {
		return nil
	}
	var args []any
	for i, b := range l.bindings {
		var values any = l.arrays[i]
		if b.wide {
			values = wide(l.arrays[i])
		}
		for range strings.Count(b.sql, "%s") {
			args = append(args, values)
		}
	}
	if _, err := l.tx.ExecContext(ctx, l.statement(nil), args...); err != nil {
		return fmt.Errorf("insert %d rows: %w", l.rows, translate(err))
	}
	for i := range l.arrays {
		l.arrays[i] = make([]sql.NullString, 0, arrayRows)
	}
	l.rows = 0
	return nil
}

func wide(values []sql.NullString) []client.NullNVarChar {
	out := make([]client.NullNVarChar, len(values))
	for i, v := range values {
		out[i] = client.NullNVarChar{NVarChar: client.NVarChar(v.String), Valid: v.Valid}
	}
	return out
}

// one inserts a row by itself.
func (l *loader) one(ctx context.Context) error {
	empty := make([]bool, len(l.columns))
	pattern := make([]byte, len(l.columns))
	var args []any
	for i, at := range l.columns {
		b, c := l.bindings[i], l.cells[at]
		pattern[i] = '0'
		if b.large != short && (c.Class == database.ClassText || c.Class == database.ClassBlob) && len(c.Bytes) == 0 {
			empty[i], pattern[i] = true, '1'
			continue
		}
		arg, err := l.argument(i, at)
		if err != nil {
			return err
		}
		for range strings.Count(b.sql, "%s") {
			args = append(args, arg)
		}
	}
	query, ok := l.single[string(pattern)]
	if !ok {
		query = l.statement(empty)
		l.single[string(pattern)] = query
	}
	if _, err := l.tx.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("insert a row: %w", translate(err))
	}
	return nil
}

// argument is what is sent for one cell.
func (l *loader) argument(i, at int) (any, error) {
	b, c := l.bindings[i], l.cells[at]
	valid := c.Class != database.ClassNull
	switch b.large {
	case longBytes:
		return client.Blob{Data: c.Bytes}, nil
	case aloneBytes:
		return c.Bytes, nil
	case longText, aloneText:
		text, err := sqlengine.CellText(c)
		if err != nil {
			return nil, database.NewValueError(l.table, at, l.cells, err)
		}
		return longArgument(b, sql.NullString{String: text, Valid: valid}), nil
	}
	value, err := l.value(i, at)
	if b.wide {
		return client.NullNVarChar{NVarChar: client.NVarChar(value.String), Valid: value.Valid}, err
	}
	return value, err
}

func longArgument(b binding, v sql.NullString) any {
	switch {
	case b.large == aloneText && b.wide:
		return client.NullNVarChar{NVarChar: client.NVarChar(v.String), Valid: v.Valid}
	case b.large == aloneText:
		return v
	case b.wide:
		return client.NClob{String: v.String, Valid: v.Valid}
	}
	return client.Clob{String: v.String, Valid: v.Valid}
}

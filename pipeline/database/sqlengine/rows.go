package sqlengine

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
)

// Queryer runs queries: *sql.Conn, *sql.Tx or *sql.DB.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Execer runs statements: *sql.Conn, *sql.Tx or *sql.DB.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Reading says how a column is selected and turned into a cell.
type Reading struct {
	// SQL holds the expressions to select, one or more.
	SQL []string
	// Add adds exactly one cell made of the values of these expressions.
	Add func(b *database.Batch, values []any) error
}

// Rows runs a query whose columns are those of readings and sends its rows in
// batches. An error of send comes back as it is; a value that cannot be read is
// an error that names its column by names.
func Rows(ctx context.Context, q Queryer, query string, names []string, readings []Reading, send func(*database.Batch) error) error {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	s := newScanner(names, readings)
	batch := database.NewBatch()
	defer func() { batch.Release() }()
	for rows.Next() {
		if err := s.row(rows, batch); err != nil {
			return err
		}
		if !batch.Full() {
			continue
		}
		full := batch
		batch = database.NewBatch()
		if err := send(full); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if batch.Len() == 0 {
		return rows.Close()
	}
	last := batch
	batch = database.NewBatch()
	if err := send(last); err != nil {
		return err
	}
	return rows.Close()
}

// scanner holds the places that a row is scanned into.
type scanner struct {
	names    []string
	readings []Reading
	values   []any
	places   []any
}

func newScanner(names []string, readings []Reading) *scanner {
	n := 0
	for _, r := range readings {
		n += len(r.SQL)
	}
	s := &scanner{names: names, readings: readings, values: make([]any, n), places: make([]any, n)}
	for i := range s.values {
		s.places[i] = &s.values[i]
	}
	return s
}

func (s *scanner) row(rows *sql.Rows, b *database.Batch) error {
	if err := rows.Scan(s.places...); err != nil {
		return fmt.Errorf("read a row: %w", err)
	}
	at := 0
	for i, r := range s.readings {
		if err := r.Add(b, s.values[at:at+len(r.SQL)]); err != nil {
			b.Undo()
			return fmt.Errorf("read column %s: %w", s.names[i], err)
		}
		at += len(r.SQL)
	}
	b.EndRow()
	return nil
}

// Expressions joins the expressions of all readings.
func Expressions(readings []Reading) []string {
	var out []string
	for _, r := range readings {
		out = append(out, r.SQL...)
	}
	return out
}

// Each runs a query and calls f with every row's values as text; null is "".
func Each(ctx context.Context, q Queryer, query string, f func(row []string) error, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, places, row := make([]any, len(columns)), make([]any, len(columns)), make([]string, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, v := range values {
			row[i] = Text(v)
		}
		if err := f(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// Text spells a value of a catalog: null is empty, true is 1.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case bool:
		if v {
			return "1"
		}
		return "0"
	}
	return fmt.Sprint(v)
}

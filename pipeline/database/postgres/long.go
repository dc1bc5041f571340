package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// COPY sends a row as one message, which the client holds whole. Rows with values larger than database.LongBytes are
// therefore left out of it and read afterwards, cell by cell, in pieces that the server cuts.

// pieceOfLong is how much of a long value the server sends in a row.
const pieceOfLong = 1 << 20

// longColumns are the columns whose size the server knows without reading them.
func (c *catalog) longColumns(t *database.Table) []string {
	r := c.find(t.Schema, t.Name)
	if r == nil || t.Role != database.Data {
		return nil
	}
	var out []string
	for _, col := range r.Columns {
		base := c.types[col.Type]
		for base != nil && base.Kind == "d" {
			base = c.types[base.Base]
		}
		if base != nil && base.Schema == "pg_catalog" && (base.Name == "text" || base.Name == "varchar" || base.Name == "bytea") && t.Column(col.Name) != nil {
			out = append(out, col.Name)
		}
	}
	return out
}

// isLong is the condition for a row with a long value.
func isLong(columns []string) string {
	parts := make([]string, len(columns))
	for i, name := range columns {
		parts[i] = fmt.Sprintf("pg_catalog.octet_length(t.%s) > %d", quote(name), database.LongBytes)
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// findLong lists rows with long values by where they lie. Only tables that keep values out of line can have any, and
// that is where a value of this size always is.
func findLong(ctx context.Context, conn *pgx.Conn, c *catalog, t *database.Table, columns []string) (places []string, err error) {
	if len(columns) == 0 {
		return nil, nil
	}
	r := c.find(t.Schema, t.Name)
	aside := r.Kind == "p" // whose partitions have places of their own
	if !aside {
		err = conn.QueryRow(ctx, fmt.Sprintf("SELECT coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0) > 0 FROM pg_catalog.pg_class c WHERE c.oid = %d", r.OID)).Scan(&aside)
	}
	if err != nil || !aside {
		return nil, translate(err)
	}
	var place string
	err = each(ctx, conn, "SELECT 't.tableoid = ' || t.tableoid || ' AND t.ctid = ''' || t.ctid || '''' FROM "+r.from()+" t WHERE "+isLong(columns), []any{&place},
		func() error { places = append(places, place); return nil })
	return places, translate(err)
}

// from names the relation as rows are selected from it.
func (r *relation) from() string {
	if r.Kind == "p" {
		return r.sql()
	}
	return "ONLY " + r.sql()
}

// longReader reads rows with long values.
type longReader struct {
	conn    *pgx.Conn
	catalog *catalog
	table   *database.Table
	columns []string
	aside   string
}

// row reads the row at a place.
func (l *longReader) row(ctx context.Context, place string, send func(*database.Batch) error) error {
	cells, err := l.short(ctx, place)
	if err != nil {
		return err
	}
	b := database.NewBatch()
	for i, cell := range cells {
		name := l.table.Columns[i].Name
		if cell.Class == database.ClassNull && slices.Contains(l.columns, name) {
			if cell, err = l.long(ctx, name, place); err != nil {
				b.Release()
				return fmt.Errorf("read a large value of column %s: %w", name, err)
			}
		}
		b.Cell(cell)
	}
	b.EndRow()
	return send(b)
}

// short reads a row with null in place of long values.
func (l *longReader) short(ctx context.Context, place string) ([]database.Cell, error) {
	query, decoders, err := selection(l.catalog, l.table, func(name, sql string) string {
		if !slices.Contains(l.columns, name) {
			return sql
		}
		return fmt.Sprintf("CASE WHEN pg_catalog.octet_length(t.%s) <= %d THEN %s END", quote(name), database.LongBytes, sql)
	}, place)
	if err != nil {
		return nil, err
	}
	cells := make([]database.Cell, len(l.table.Columns))
	found := false
	err = copyOut(ctx, l.conn, query, newCopyParser(decoders, func(b *database.Batch) error {
		found = b.Len() == 1
		return b.Cells(cells, 0) // they alias the batch, which is not given back
	}))
	if err == nil && !found {
		err = fmt.Errorf("a row is gone from table %s", l.table.ID())
	}
	return cells, err
}

// long reads a value in pieces; null if it is null. Adding nothing to it makes the server unpack it once.
func (l *longReader) long(ctx context.Context, name, place string) (database.Cell, error) {
	r := l.catalog.find(l.table.Schema, l.table.Name)
	class, whole := database.ClassText, "pg_catalog.convert_to(t."+quote(name)+", 'UTF8')"
	if l.table.Column(name).Type.Kind == database.Bytes {
		class, whole = database.ClassBlob, "t."+quote(name)+" || ''::bytea"
	}
	value, err := database.NewLong(l.aside)
	if err != nil {
		return database.Cell{}, err
	}
	pieces := 0
	decode := func(_ *database.Batch, _ *[]byte, field []byte) error {
		pieces++
		_, err := value.Write(field)
		return err
	}
	query := fmt.Sprintf("SELECT substring(q.v FROM i FOR %[1]d) FROM (SELECT %[2]s AS v FROM %[3]s t WHERE %[4]s OFFSET 0) q, pg_catalog.generate_series(1, pg_catalog.octet_length(q.v), %[1]d) i",
		pieceOfLong, whole, r.from(), place)
	err = copyOut(ctx, l.conn, query, newCopyParser([]decoder{decode}, func(b *database.Batch) error { b.Release(); return nil }))
	if err != nil || pieces == 0 {
		value.Close()
		return database.Cell{}, err
	}
	return database.Cell{Class: class, Long: value}, nil
}

// copyOut runs a query by binary COPY into a parser. An error of the parser's receiver comes back as it is.
func copyOut(ctx context.Context, conn *pgx.Conn, query string, parser *copyParser) error {
	var failed error
	send := parser.send
	parser.send = func(b *database.Batch) error {
		failed = send(b)
		return failed
	}
	_, err := conn.PgConn().CopyTo(ctx, parser, "COPY ("+query+") TO STDOUT (FORMAT binary)")
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return translate(err)
	}
	return parser.close()
}

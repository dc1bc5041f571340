package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// COPY leaves generated columns out. Those whose expressions are made of nothing but what came with
// the server are computed once more, by a query over the values that were read: it names no table,
// so that nobody's code is in reach. All others are unread.

// computable says that a generated column can be computed again.
func (c *catalog) computable(r *relation, col *column) bool {
	if !col.Pure || hasWord(col.Default, "tableoid") {
		return false
	}
	for _, number := range col.Inputs {
		if in := r.columnOf(number); in == nil || !c.plain(in.Type) {
			return false
		}
	}
	return c.plain(col.Type)
}

// plain says that values of a type are read and written by the server's own functions.
func (c *catalog) plain(oid uint32) bool {
	t := c.base(oid)
	switch {
	case t == nil:
		return false
	case t.Kind == "e":
		return true
	case t.Category == "A" && t.Element != 0:
		return c.plain(t.Element)
	}
	return t.system()
}

// hasWord looks for a bare word outside of quotes.
func hasWord(sql, word string) bool { return replaceWord(sql, word, "") != sql }

// computing adds the cells of generated columns to rows that lack them.
type computing struct {
	table  *database.Table
	from   []int // the place of each column in the rows read; -1: computed, -2: unread
	inputs []input
	values []string // expressions
	decode []decoder
	cells  []database.Cell
	conn   *pgx.Conn
}

// input is a column that expressions use.
type input struct {
	at        int // place in the rows read
	name      string
	typ       string
	collation string
}

const (
	computedHere = -1
	unread       = -2
)

// computing describes how the columns of a table that are not read are computed.
func (c *catalog) computing(t *database.Table, r *relation, read []*column) *computing {
	p := &computing{table: t, cells: make([]database.Cell, len(read))}
	var used []int16
	for _, want := range t.Columns {
		col := r.column(want.Name)
		switch {
		case slices.Contains(read, col):
			p.from = append(p.from, slices.Index(read, col))
		case want.Unread || !c.computable(r, col):
			p.from = append(p.from, unread)
		default:
			p.from = append(p.from, computedHere)
			p.values, p.decode = append(p.values, col.Default), append(p.decode, c.textField(col).decode)
			used = append(used, col.Inputs...)
		}
	}
	for i, want := range t.Columns {
		if col := r.column(want.Name); p.from[i] >= 0 && slices.Contains(used, col.Number) {
			base := c.base(col.Type)
			p.inputs = append(p.inputs, input{p.from[i], want.Name, qualified(base.Schema, base.Name), col.Collation})
		}
	}
	return p
}

// open connects to compute, beside the connection that reads.
func (p *computing) open(ctx context.Context, at database.Location) (err error) {
	if len(p.values) > 0 {
		p.conn, err = connectReading(ctx, at)
	}
	return err
}

func (p *computing) close() error {
	if p.conn == nil {
		return nil
	}
	return p.conn.Close(context.Background())
}

// add takes over a batch of rows without generated columns.
func (p *computing) add(ctx context.Context, in *database.Batch) (*database.Batch, error) {
	defer in.Release()
	var values [][][]byte
	if p.conn != nil {
		var err error
		if values, err = p.compute(ctx, in); err != nil {
			return nil, fmt.Errorf("compute the generated columns of table %s: %w", p.table.ID(), translate(err))
		}
	}
	return p.join(in, values)
}

// join puts computed values, as text by row, where they belong.
func (p *computing) join(in *database.Batch, values [][][]byte) (*database.Batch, error) {
	out := database.NewBatch()
	var scratch []byte
	for i := range in.Len() {
		if err := in.Take(p.cells, i); err != nil {
			return nil, err
		}
		next := 0
		for n, from := range p.from {
			switch {
			case from >= 0:
				out.Cell(p.cells[from])
			case from == unread || values[i][next] == nil:
				out.Null()
			default:
				if err := p.decode[next](out, &scratch, values[i][next]); err != nil {
					return nil, fmt.Errorf("column %s: %w", p.table.Columns[n].Name, err)
				}
			}
			if from == computedHere {
				next++
			}
		}
		out.EndRow()
	}
	return out, nil
}

// compute evaluates the expressions for all rows of a batch.
func (p *computing) compute(ctx context.Context, in *database.Batch) ([][][]byte, error) {
	sql, err := p.sql(in)
	if err != nil {
		return nil, err
	}
	results, err := p.conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != in.Len() {
		return nil, errors.New("the server gave another number of rows than it was given")
	}
	return results[0].Rows, nil
}

// sql is a query over the inputs' values, which are written out.
func (p *computing) sql(in *database.Batch) (string, error) {
	var rows strings.Builder
	for i := range in.Len() {
		if err := in.Cells(p.cells, i); err != nil {
			return "", err
		}
		if i > 0 {
			rows.WriteByte(',')
		}
		fmt.Fprintf(&rows, "(%d", i)
		for _, input := range p.inputs {
			text, err := input.literal(p.cells[input.at])
			if err != nil {
				return "", err
			}
			rows.WriteByte(',')
			rows.WriteString(text)
		}
		rows.WriteByte(')')
	}
	list := []string{"column1 AS " + rowNumber}
	for i, input := range p.inputs {
		value := fmt.Sprintf("column%d", i+2)
		if input.collation != "" {
			value += " COLLATE " + input.collation
		}
		list = append(list, value+" AS "+quote(input.name))
	}
	return "SELECT (" + strings.Join(p.values, "), (") + ") FROM (SELECT " + strings.Join(list, ", ") + " FROM (VALUES " + rows.String() + ") v) t ORDER BY t." + rowNumber, nil
}

// rowNumber is a name that no column of a table has.
const rowNumber = `"_packstone_row"`

// literal spells a cell as a value of the column's type, which the type's own input function reads.
func (in input) literal(c database.Cell) (string, error) {
	var text string
	switch {
	case c.Class == database.ClassNull:
		return "NULL::" + in.typ, nil
	case c.Class == database.ClassInt:
		text = strconv.FormatInt(c.Int, 10)
	case c.Class == database.ClassFloat:
		text = string(appendFloat(nil, c.Float))
	default:
		raw := c.Bytes
		if c.Long != nil {
			var err error
			if raw, err = c.Long.Bytes(); err != nil {
				return "", fmt.Errorf("read a large value back: %w", err)
			}
		}
		text = string(raw)
		if c.Class == database.ClassBlob {
			text = `\x` + hex.EncodeToString(raw)
		}
	}
	return literal(text) + "::" + in.typ, nil
}

package database

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// converter carries a table's rows from the source's canonical form to the
// target's and sums both.
type converter struct {
	table   *PlannedTable
	cells   []Cell
	source  Summer
	written Summer
	lossy   []int64
}

func newConverter(t *PlannedTable) *converter {
	n := len(t.Source.Columns)
	return &converter{table: t, cells: make([]Cell, n), lossy: make([]int64, n)}
}

// convert takes over in and returns the batch to load.
func (c *converter) convert(in *Batch) (*Batch, error) {
	in, err := blank(in, c.table.Source.Columns)
	if err != nil {
		return nil, err
	}
	if err := c.source.Add(in); err != nil || !c.table.converts() {
		return in, err
	}
	defer in.Release()
	out := NewBatch()
	for i := range in.Len() {
		if err := c.row(out, in, i); err != nil {
			out.Release()
			return nil, err
		}
	}
	return out, c.written.Add(out)
}

func (c *converter) row(out, in *Batch, i int) error {
	if err := in.Take(c.cells, i); err != nil {
		return err
	}
	for i, cell := range c.cells {
		if conv := c.table.conversion(i); conv != nil {
			changed, lossy, err := conv.apply(cell)
			if err != nil {
				return c.table.valueError(i, c.cells, err)
			}
			if lossy {
				c.lossy[i]++
			}
			cell = changed
		}
		out.Cell(cell)
	}
	out.EndRow()
	return nil
}

// apply converts a cell. A long one stays long if the conversion can tell from its pieces that nothing changes.
func (c *Conversion) apply(cell Cell) (out Cell, lossy bool, err error) {
	if cell.Long == nil {
		return c.Cell(cell)
	}
	keeps, err := c.keeps(cell)
	if keeps || err != nil {
		return cell, false, err
	}
	defer cell.Long.Close()
	if cell, err = cell.whole(); err != nil {
		return cell, false, err
	}
	return c.Cell(cell)
}

func (c *Conversion) keeps(cell Cell) (bool, error) {
	if c.Keeps == nil {
		return false, nil
	}
	piece := make([]byte, 256<<10)
	in := cell.Long.Reader()
	for {
		n, err := in.Read(piece)
		if keeps := c.Keeps(cell.Class, piece[:n]); !keeps {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func (c *converter) result() TableResult {
	r := TableResult{
		Table: c.table.Source.ID(), Target: c.table.Target.ID(),
		Rows: c.source.Rows(), Bytes: c.source.Bytes(), Digest: c.source.Digest(),
	}
	r.Written = r.Digest
	if c.table.converts() {
		r.Written = c.written.Digest()
	}
	return r
}

// findings names the columns in which values changed.
func (c *converter) findings() []Finding {
	var out []Finding
	for i, n := range c.lossy {
		if n == 0 {
			continue
		}
		conv := c.table.Convert[i]
		out = append(out, Finding{
			Object: columnID(c.table.Source, i), Status: Approximated,
			Code: conv.Code, Reason: conv.Lost, Count: n,
		})
	}
	return out
}

func columnID(t *Table, i int) ObjectID {
	return ObjectID{Kind: "column", Table: t.ID(), Name: t.Columns[i].Name}
}

func (t *PlannedTable) converts() bool {
	for i := range t.Source.Columns {
		if t.conversion(i) != nil {
			return true
		}
	}
	return false
}

func (t *PlannedTable) conversion(i int) *Conversion {
	switch {
	case t.Target.Columns[i].Unread:
		return &forget
	case i >= len(t.Convert):
		return nil
	}
	return t.Convert[i]
}

// forget is the conversion of a column whose values are not compared.
var forget = Conversion{Cell: func(Cell) (Cell, bool, error) { return Cell{}, false, nil }}

// blank takes over a batch and returns one whose unread columns are null.
func blank(in *Batch, columns []*Column) (*Batch, error) {
	if !slices.ContainsFunc(columns, func(c *Column) bool { return c.Unread }) {
		return in, nil
	}
	defer in.Release()
	out := NewBatch()
	cells := make([]Cell, len(columns))
	for i := range in.Len() {
		if err := in.Take(cells, i); err != nil {
			return nil, err
		}
		for n, cell := range cells {
			if columns[n].Unread {
				cell.drop()
				cell = Cell{}
			}
			out.Cell(cell)
		}
		out.EndRow()
	}
	return out, nil
}

// drop closes a long cell's file.
func (c Cell) drop() {
	if c.Long != nil {
		c.Long.Close()
	}
}

// valueError addresses a value by table, column and key.
func (t *PlannedTable) valueError(column int, cells []Cell, cause error) error {
	return &ValueError{
		Table: t.Source.ID(), Column: t.Source.Columns[column].Name,
		Row: rowAddress(t.Source, cells), Cause: cause,
	}
}

// ValueError says which value has no place in the target. It is an ErrValue.
type ValueError struct {
	Table, Column, Row string
	Cause              error
}

// Error implements error.
func (e *ValueError) Error() string {
	return fmt.Sprintf("table %s, column %s, row %s: %v", e.Table, e.Column, e.Row, e.Cause)
}

// Unwrap gives the cause.
func (e *ValueError) Unwrap() error { return e.Cause }

// Is makes it an ErrValue.
func (e *ValueError) Is(target error) bool { return target == ErrValue }

// NewValueError addresses a value of a row for a driver that meets it while
// loading; column counts from 0.
func NewValueError(t *Table, column int, cells []Cell, cause error) error {
	return &ValueError{Table: t.ID(), Column: t.Columns[column].Name, Row: rowAddress(t, cells), Cause: cause}
}

// rowAddress names a row by its key, or by its first cells where it has none.
func rowAddress(t *Table, cells []Cell) string {
	var parts []string
	for i, c := range t.Columns {
		if i < len(cells) && (contains(t.Order, c.Name) || len(t.Order) == 0 && i < 3) {
			parts = append(parts, c.Name+"="+cells[i].short())
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// short prints a cell for an error.
func (c Cell) short() string {
	if c.Long != nil {
		return fmt.Sprintf("%d bytes", c.Long.Size())
	}
	switch c.Class {
	case ClassInt:
		return fmt.Sprint(c.Int)
	case ClassFloat:
		return fmt.Sprint(c.Float)
	case ClassText:
		return fmt.Sprintf("%.40q", c.Bytes)
	case ClassBlob:
		return fmt.Sprintf("x'%.20x'", c.Bytes)
	}
	return "null"
}

package convert

import (
	"errors"
	"io"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
)

// converter carries a table's rows from the source's canonical form to the
// target's and sums both.
type converter struct {
	table   *database.PlannedTable
	cells   []database.Cell
	source  database.Summer
	written database.Summer
	echo    database.Echo
	lossy   []int64
}

func newConverter(t *database.PlannedTable) *converter {
	n := len(t.Source.Columns)
	return &converter{table: t, cells: make([]database.Cell, n), lossy: make([]int64, n)}
}

// convert takes over in and returns the batch to load.
func (c *converter) convert(in *database.Batch) (*database.Batch, error) {
	in, err := blank(in, c.table.Source.Columns)
	if err != nil {
		return nil, err
	}
	if err := c.source.Add(in); err != nil {
		return in, err
	}
	if !converts(c.table) {
		return in, c.echo.Add(in)
	}
	defer in.Release()
	out := database.NewBatch()
	for i := range in.Len() {
		if err := c.row(out, in, i); err != nil {
			out.Release()
			return nil, err
		}
	}
	return out, errors.Join(c.written.Add(out), c.echo.Add(out))
}

func (c *converter) row(out, in *database.Batch, i int) error {
	if err := in.Take(c.cells, i); err != nil {
		return err
	}
	for i, cell := range c.cells {
		if conv := conversion(c.table, i); conv != nil {
			changed, lossy, err := apply(conv, cell)
			if err != nil {
				return database.NewValueError(c.table.Source, i, c.cells, err)
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

// apply converts a cell. A long one stays long if the conversion can tell from its pieces that
// nothing changes.
func apply(c *database.Conversion, cell database.Cell) (out database.Cell, lossy bool, err error) {
	if cell.Long == nil {
		return c.Cell(cell)
	}
	same, err := keeps(c, cell)
	if same || err != nil {
		return cell, false, err
	}
	defer cell.Long.Close()
	if cell, err = cell.Whole(); err != nil {
		return cell, false, err
	}
	return c.Cell(cell)
}

func keeps(c *database.Conversion, cell database.Cell) (bool, error) {
	if c.Keeps == nil {
		return false, nil
	}
	piece := make([]byte, 256<<10)
	in := cell.Long.Reader()
	for {
		n, err := in.Read(piece)
		if !c.Keeps(cell.Class, piece[:n]) {
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

func (c *converter) result() database.TableResult {
	r := database.TableResult{
		Table: c.table.Source.ID(), Target: c.table.Target.ID(),
		Rows: c.source.Rows(), Bytes: c.source.Bytes(), Digest: c.source.Digest(), Echo: c.echo,
	}
	r.Written = r.Digest
	if converts(c.table) {
		r.Written = c.written.Digest()
	}
	return r
}

// findings names the columns in which values changed.
func (c *converter) findings() []database.Finding {
	var out []database.Finding
	for i, n := range c.lossy {
		if n == 0 {
			continue
		}
		conv := c.table.Convert[i]
		out = append(out, database.Finding{
			Object: columnID(c.table.Source, i), Status: database.Approximated,
			Code: conv.Code, Reason: conv.Lost, Count: n,
		})
	}
	return out
}

func columnID(t *database.Table, i int) database.ObjectID {
	return database.ObjectID{Kind: "column", Table: t.ID(), Name: t.Columns[i].Name}
}

func converts(t *database.PlannedTable) bool {
	for i := range t.Source.Columns {
		if conversion(t, i) != nil {
			return true
		}
	}
	return false
}

func conversion(t *database.PlannedTable, i int) *database.Conversion {
	switch {
	case t.Target.Columns[i].Unread:
		return &forget
	case i >= len(t.Convert):
		return nil
	}
	return t.Convert[i]
}

// forget is the conversion of a column whose values are not compared.
var forget = database.Conversion{Cell: func(database.Cell) (database.Cell, bool, error) { return database.Cell{}, false, nil }}

// blank takes over a batch and returns one whose unread columns are null.
func blank(in *database.Batch, columns []*database.Column) (*database.Batch, error) {
	if !slices.ContainsFunc(columns, func(c *database.Column) bool { return c.Unread }) {
		return in, nil
	}
	defer in.Release()
	out := database.NewBatch()
	cells := make([]database.Cell, len(columns))
	for i := range in.Len() {
		if err := in.Take(cells, i); err != nil {
			return nil, err
		}
		for n, cell := range cells {
			if columns[n].Unread {
				if cell.Long != nil {
					cell.Long.Close()
				}
				cell = database.Cell{}
			}
			out.Cell(cell)
		}
		out.EndRow()
	}
	return out, nil
}

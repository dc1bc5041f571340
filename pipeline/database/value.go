package database

import (
	"fmt"
	"slices"
	"strings"
)

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
	return &ValueError{Table: t.ID(), Column: t.Columns[column].Name, Row: RowAddress(t, cells), Cause: cause}
}

// RowAddress names a row by its key, or by its first cells where it has none.
func RowAddress(t *Table, cells []Cell) string {
	var parts []string
	for i, c := range t.Columns {
		if i < len(cells) && (slices.Contains(t.Order, c.Name) || len(t.Order) == 0 && i < 3) {
			parts = append(parts, c.Name+"="+cells[i].short())
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
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

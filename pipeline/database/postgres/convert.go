package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/packstone/packstone/pipeline/database"
)

var (
	errNUL     = fmt.Errorf("%w, which PostgreSQL cannot store", database.ErrNUL)
	errNotUTF8 = errors.New("text is not valid UTF-8")
)

// textOnly refuses, or strips, what PostgreSQL's text cannot hold.
func textOnly(opts database.PlanOptions) *database.Conversion {
	var scratch []byte
	return &database.Conversion{
		Code: database.CodeNUL, Lost: "NUL characters are removed",
		Keeps: func(class database.Class, piece []byte) bool {
			return class == database.ClassText && bytes.IndexByte(piece, 0) < 0
		},
		Cell: func(c database.Cell) (database.Cell, bool, error) {
			switch {
			case c.Class == database.ClassBlob:
				return c, false, errNotUTF8
			case c.Class == database.ClassInt || c.Class == database.ClassFloat:
				return asText(c), false, nil
			case c.Class != database.ClassText || bytes.IndexByte(c.Bytes, 0) < 0:
				return c, false, nil
			case opts.NUL != database.NULStrip:
				return c, false, errNUL
			}
			scratch = scratch[:0]
			for _, b := range c.Bytes {
				if b != 0 {
					scratch = append(scratch, b)
				}
			}
			return database.Cell{Class: database.ClassText, Bytes: scratch}, true, nil
		},
	}
}

// asText spells a number for a text column.
func asText(c database.Cell) database.Cell {
	if c.Class == database.ClassFloat {
		return database.Cell{Class: database.ClassText, Bytes: appendFloat(nil, c.Float)}
	}
	return database.Cell{Class: database.ClassText, Bytes: strconv.AppendInt(nil, c.Int, 10)}
}

func intToDecimal(c database.Cell) (database.Cell, bool, error) {
	if c.Class == database.ClassInt {
		return asText(c), false, nil
	}
	return c, false, nil
}

// labels refuses what an enumeration does not list. MySQL's mark for a value
// that was none, the empty string, becomes null where the column allows it.
func labels(values []string, notNull bool) *database.Conversion {
	known := map[string]bool{}
	for _, v := range values {
		known[v] = true
	}
	return &database.Conversion{
		Code: database.CodeErrorLabel, Lost: "the empty mark of an invalid label becomes null",
		Cell: func(c database.Cell) (database.Cell, bool, error) {
			switch {
			case c.Class != database.ClassText || known[string(c.Bytes)]:
				return c, false, nil
			case len(c.Bytes) == 0 && !notNull:
				return database.Cell{}, true, nil
			}
			return c, false, fmt.Errorf("%q is no label of the enumeration", c.Bytes)
		},
	}
}

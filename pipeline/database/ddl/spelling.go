package ddl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// Spelt is the conversion of a column of mixed contents into text: numbers as they are written, and
// bytes that are no text as x'00ff', which is counted. then follows it; nil: nothing does.
func Spelt(then *database.Conversion) *database.Conversion {
	return &database.Conversion{
		Code: database.CodeSpelling, Lost: "bytes are spelt as x'…'",
		Keeps: func(class database.Class, piece []byte) bool {
			return class == database.ClassText && (then == nil || then.Keeps != nil && then.Keeps(class, piece))
		},
		Cell: func(c database.Cell) (database.Cell, bool, error) {
			c, lossy := spell(c)
			if then == nil || c.Class == database.ClassNull {
				return c, lossy, nil
			}
			out, also, err := then.Cell(c)
			return out, lossy || also, err
		},
	}
}

func spell(c database.Cell) (out database.Cell, lossy bool) {
	text := ""
	switch c.Class {
	case database.ClassInt:
		text = strconv.FormatInt(c.Int, 10)
	case database.ClassFloat:
		if text = strconv.FormatFloat(c.Float, 'g', -1, 64); !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
	case database.ClassBlob:
		if lossy = !utf8.Valid(c.Bytes) || strings.ContainsRune(string(c.Bytes), 0); !lossy {
			return database.Cell{Class: database.ClassText, Bytes: c.Bytes}, false
		}
		text = fmt.Sprintf("x'%x'", c.Bytes)
	default:
		return c, false
	}
	return database.Cell{Class: database.ClassText, Bytes: []byte(text)}, lossy
}

package sqlengine

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// LiteralDefault spells a literal as the default of a column; ok is false where
// the column cannot have it. text spells what is neither a null, nor a number,
// nor a truth value; bytes have no spelling.
func LiteralDefault(c database.Cell, t database.Type, text func(string) (string, bool)) (sql string, ok bool) {
	switch c.Class {
	case database.ClassNull:
		return "NULL", true
	case database.ClassInt:
		return fmt.Sprint(c.Int), t.Kind == database.Bool || numeric(t)
	}
	switch {
	case t.Kind == database.Bool:
		sql, ok = truths[string(c.Bytes)]
		return sql, ok
	case numeric(t):
		out, err := CanonicalDecimal(string(c.Bytes))
		return out, err == nil
	case t.Kind == database.Bytes:
		return "", false
	}
	return text(string(c.Bytes))
}

var truths = map[string]string{"t": "1", "true": "1", "f": "0", "false": "0"}

func numeric(t database.Type) bool {
	switch t.Kind {
	case database.Int, database.Decimal, database.Float, database.Year:
		return true
	}
	return false
}

// OneOf is the condition of a Mapped that allows an enumeration's labels only.
func OneOf(engine string, labels []string) string {
	out := make([]string, len(labels))
	for i, v := range labels {
		out[i] = strings.ReplaceAll(database.QuoteText(engine, v), "%", "%%")
	}
	return "%s IN (" + strings.Join(out, ", ") + ")"
}

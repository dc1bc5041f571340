package output

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Record is a row of the result of a user's query: a JSON object with the columns in their order.
type Record struct {
	Columns []string
	Values  []any
}

// JSONSchema describes a row, whose columns depend on the query.
func (Record) JSONSchema() map[string]any {
	return map[string]any{"type": "object", "description": "A row, by the names of its columns.",
		"additionalProperties": map[string]any{"type": []string{"string", "number", "null"}}}
}

// MarshalJSON writes the row.
func (r Record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, column := range r.Columns {
		b.WriteByte("{,"[min(i, 1)])
		name, err := json.Marshal(column)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(printable(r.Values[i]))
		if err != nil {
			return nil, err
		}
		b.Write(append(append(name, ':'), text...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// printable returns a value for JSON: bytes in hex, and text like any untrusted name.
func printable(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case string:
		return Name(v)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return v
}

// Cell formats a value for a table.
func Cell(v any) string {
	switch v := printable(v).(type) {
	case nil:
		return "-"
	case Name:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

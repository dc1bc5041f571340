package output

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
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

// Answer prints the result of a user's query: with JSON one array, row by row, else a table. query
// calls head with the names of the columns, then row for each row, whose values it may use again.
func Answer(p *Printer, query func(head func([]string) error, row func([]any) error) error) error {
	var columns []string
	head := func(names []string) error {
		columns = slices.Clone(names)
		return nil
	}
	if p.JSON() {
		rows := p.Rows()
		if err := query(head, func(values []any) error { return rows.Add(Record{columns, values}, "") }); err != nil {
			return err
		}
		return rows.Close()
	}
	var table Table
	err := query(head, func(values []any) error {
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = Cell(v)
		}
		table.Rows = append(table.Rows, texts)
		return nil
	})
	if err != nil {
		return err
	}
	table.Head, table.Footer = columns, Plural(len(table.Rows), "row")
	return List(p, []struct{}{}, table)
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

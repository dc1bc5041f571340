package sqlserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

const (
	modulesSQL = `SELECT o.object_id, s.name, o.name, RTRIM(o.type), ps.name, p.name, r.is_disabled, m.uses_ansi_nulls, m.uses_quoted_identifier, m.definition
FROM sys.sql_modules m JOIN sys.objects o ON o.object_id = m.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.triggers r ON r.object_id = o.object_id LEFT JOIN sys.objects p ON p.object_id = o.parent_object_id LEFT JOIN sys.schemas ps ON ps.schema_id = p.schema_id
WHERE o.is_ms_shipped = 0 AND o.type IN ('V', 'P', 'FN', 'IF', 'TF', 'TR') ORDER BY CASE RTRIM(o.type) WHEN 'TR' THEN 2 WHEN 'P' THEN 1 ELSE 0 END, o.object_id`

	typesSQL = `SELECT s.name, y.name, TYPE_NAME(y.system_type_id), y.max_length, y.precision, y.scale, y.is_nullable, y.is_table_type, y.is_assembly_type FROM sys.types y JOIN sys.schemas s ON s.schema_id = y.schema_id WHERE y.is_user_defined = 1 ORDER BY s.name, y.name`

	synonymsSQL = `SELECT s.name, y.name, y.base_object_name FROM sys.synonyms y JOIN sys.schemas s ON s.schema_id = y.schema_id WHERE y.is_ms_shipped = 0 ORDER BY s.name, y.name`
)

// readObjects lists what is no table or part of one.
func readObjects(ctx context.Context, q sqlengine.Queryer, c *catalog, s *database.Schema) ([]*database.Object, error) {
	var before, out []*database.Object
	err := wire.Ask(ctx, q,
		sqlengine.Question{What: "types", SQL: typesSQL, Row: func(row []string) error { before = append(before, userType(row)); return nil }},
		sqlengine.Question{What: "synonyms", SQL: synonymsSQL, Row: func(row []string) error {
			out = append(out, object("synonym", row[0], "", row[1], database.AtEnd, "CREATE SYNONYM "+qualified(row[0], row[1])+" FOR "+row[2]))
			return nil
		}},
		sqlengine.Question{What: "code", SQL: modulesSQL, Row: func(row []string) error {
			o := c.module(row, s)
			if o.Phase == database.BeforeTables {
				before = append(before, o)
			} else {
				out = append(out, o)
			}
			return nil
		}},
		sqlengine.Question{What: "other objects", SQL: anyObjectSQL, Row: func(row []string) error {
			o := object(row[0], row[1], "", row[2], database.AtEnd)
			o.Lost = usualLoss
			out = append(out, o)
			return nil
		}},
	)
	if err != nil {
		return nil, err
	}
	listed, err := wire.List(ctx, q, listings(c.server))
	if err != nil {
		return nil, fmt.Errorf("list the objects that are not copied: %w", err)
	}
	for _, o := range listed {
		if o.Name != sqlengine.Unlisted {
			principal(o)
		}
	}
	return slices.Concat(before, out, listed), nil
}

// userType is an alias of a type; others are written in code that we have not.
func userType(row []string) *database.Object {
	o := object("type", row[0], "", row[1], database.BeforeTables)
	if truth(row[7]) || truth(row[8]) {
		o.Lost = "only types that are another name for one of the system's are copied"
		return o
	}
	col := &column{base: row[2], length: int(sqlengine.Clamp(row[3])), precision: int(sqlengine.Clamp(row[4])), scale: int(sqlengine.Clamp(row[5]))}
	null := " NOT NULL"
	if truth(row[6]) {
		null = " NULL"
	}
	o.DDL = []string{"CREATE TYPE " + qualified(row[0], row[1]) + " FROM " + col.native() + null}
	return o
}

var moduleKinds = map[string]string{"V": "view", "P": "procedure", "FN": "function", "IF": "function", "TF": "function", "TR": "trigger"}

// module is a view, a procedure, a function or a trigger, with the settings that
// it was made under.
func (c *catalog) module(row []string, s *database.Schema) *database.Object {
	o := object(moduleKinds[row[3]], row[1], "", row[2], database.AtEnd)
	if row[3] == "TR" {
		o.Schema, o.Table = "", row[4]+"."+row[5]
	}
	if o.Kind == "function" && c.calls(qualified(row[1], row[2])) {
		o.Phase = database.BeforeTables
	}
	if row[9] == "" {
		o.Lost = "its definition is encrypted or hidden from this user"
		return o
	}
	o.DDL = append(o.DDL, row[9])
	for i, setting := range []string{"ANSI_NULLS", "QUOTED_IDENTIFIER"} {
		if !truth(row[7+i]) {
			o.DDL = append(append([]string{"SET " + setting + " OFF"}, o.DDL...), "SET "+setting+" ON")
		}
	}
	if truth(row[6]) {
		o.DDL = append(o.DDL, "DISABLE TRIGGER "+qualified(row[1], row[2])+" ON "+qualified(row[4], row[5]))
	}
	return o
}

// calls says that a table needs a function. The server puts the names in its
// expressions in brackets.
func (c *catalog) calls(function string) bool {
	in := func(expression string) bool { return strings.Contains(expression, function+"(") }
	for _, t := range c.tables {
		if slices.ContainsFunc(t.columns, func(col *column) bool { return in(col.computed) || in(col.value) }) ||
			slices.ContainsFunc(t.checks, func(k *check) bool { return in(k.definition) }) {
			return true
		}
	}
	return false
}

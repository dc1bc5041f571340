package postgres

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// mappedPlan builds from the neutral schema.
func mappedPlan(s *database.Schema, opts database.PlanOptions) *database.Plan {
	return planOf(dialect().Map(s, opts))
}

func planOf(made *ddl.Mapping) *database.Plan {
	d := &plan{sequences: made.Steps.Sequences}
	for _, one := range made.Steps.Create {
		d.create = append(d.create, statement{object: one.Object, sql: one.SQL, vital: one.Vital})
	}
	for _, one := range made.Steps.After {
		st := statement{object: one.Object, sql: one.SQL, vital: one.Vital, loose: one.Loose}
		if one.Key != nil {
			st.table, _, _ = strings.Cut(strings.TrimPrefix(one.SQL, "ALTER TABLE "), " ADD "+one.Adds)
			st.name = one.Key.Name
		}
		d.finish = append(d.finish, st)
	}
	made.Plan.Detail = d
	return made.Plan
}

// dialect is how PostgreSQL spells what comes from another engine. Tables, indexes, sequences and
// types share a name space, and a key has an index of its name.
func dialect() *ddl.Dialect {
	relations, constraints := []ddl.Space{{Name: "relation"}}, []ddl.Space{{Name: "constraint", Table: true}}
	return &ddl.Dialect{
		Engine: database.Postgres,
		Names:  ddl.NameRules{Max: maxName, Unit: "bytes", Length: func(name string) int { return len(name) }, Blank: true},
		Spaces: ddl.Spaces{
			Tables: relations, Sequences: relations, Types: relations, Indexes: relations,
			Keys: append(relations, constraints...), Checks: constraints, Foreign: constraints,
		},
		Namespace: "public", Schemas: true, Columnless: true,
		Nulls: ddl.NullsChosen, Deferral: true, KeyDeferral: true, MatchFull: true, NotValid: &[2]string{"", " NOT VALID"}, Refers: ddl.ToIndexes,
		Counters: ddl.CountsAny, StoredOnly: true, ComputedDefaults: true, ComputedNotNull: true,
		Filtered: true, Include: true, Expressions: true,
		LargeObjects: true,
		Type:         mapType,
		Now:          func(to ddl.Mapped) (string, bool) { return "CURRENT_TIMESTAMP", moment(to.Type) },
		Literal:      literalSQL,
		Comparable:   func(_ database.Type, to ddl.Mapped) bool { return comparable(to.Type) },
		Computes:     func(database.Type, ddl.Mapped) bool { return true },
		Identity:     identitySQL,
		Generated: func(to ddl.Mapped, expr string, _ bool) string {
			return to.SQL + " GENERATED ALWAYS AS (" + expr + ") STORED"
		},
		Sequence: func(name string, q *database.Sequence) string {
			return "CREATE SEQUENCE " + name + " AS bigint " + sequenceOptions(&sequence{
				Start: q.Start, Increment: q.Increment, Min: q.Min, Max: q.Max, Cache: max(q.Cache, 1), Cycle: q.Cycle,
			})
		},
		Indexed: func(to ddl.Mapped) bool { return to.Type.Kind != database.JSON },
		Comment: comment,
	}
}

// maxName is the longest name in bytes, and the longest label of an enumeration.
const maxName = 63

func identitySQL(q *database.Sequence, always bool) string {
	how, options := "BY DEFAULT", ""
	if always {
		how = "ALWAYS"
	}
	if q != nil {
		options = fmt.Sprintf(" (INCREMENT BY %d MINVALUE %d START WITH %d)", q.Increment, min(q.Min, q.Start), q.Start)
	}
	return " GENERATED " + how + " AS IDENTITY" + options
}

func comment(schema, table, column, text string) string {
	if column == "" {
		return "COMMENT ON TABLE " + qualified(schema, table) + " IS " + literal(text)
	}
	return "COMMENT ON COLUMN " + qualified(schema, table) + "." + quote(column) + " IS " + literal(text)
}

// moment says that values of a type have a date.
func moment(t database.Type) bool {
	return t.Kind == database.Date || t.Kind == database.Timestamp || t.Kind == database.TimestampTZ
}

// literalSQL spells a value as a default.
func literalSQL(c database.Cell, to ddl.Mapped) (string, bool) {
	t := to.Type
	switch {
	case c.Class == database.ClassNull:
		return "NULL", true
	case c.Class == database.ClassInt && t.Kind == database.Bool:
		return fmt.Sprint(c.Int != 0), true
	case c.Class == database.ClassInt && t.Kind != database.Text:
		return fmt.Sprint(c.Int), t.Kind == database.Int || t.Kind == database.Decimal || t.Kind == database.Float || t.Kind == database.Year
	case c.Class == database.ClassInt:
		return literal(fmt.Sprint(c.Int)), true
	}
	text := string(c.Bytes)
	if database.ImpossibleDate(text) && moment(t) {
		return "", false
	}
	return literal(text), reads(text, t)
}

// momentText is what begins a date or a time that the server reads, whatever its settings are.
var momentText = regexp.MustCompile(`^(infinity|-infinity|\d{4,}-\d\d-\d\d( .*)?|\d\d:\d\d.*)$`)

// reads says that the server takes a text for a value of a type: a SQLite column may have a default
// that is none.
func reads(text string, t database.Type) bool {
	switch t.Kind {
	case database.Bytes, database.Interval:
		return false
	case database.Int, database.Year:
		_, err := strconv.ParseInt(text, 10, max(t.Bits, 16))
		return err == nil
	case database.Decimal, database.Float:
		_, err := strconv.ParseFloat(text, 64)
		return err == nil && !strings.ContainsAny(text, "xX_pP")
	case database.Bool:
		return slices.Contains([]string{"t", "true", "f", "false", "1", "0"}, strings.ToLower(text))
	case database.Date, database.Timestamp, database.TimestampTZ, database.Time, database.TimeTZ:
		return momentText.MatchString(text)
	case database.UUID:
		return uuidText.MatchString(text)
	case database.JSON:
		return json.Valid([]byte(text))
	case database.Enum:
		return slices.Contains(t.Values, text)
	case database.Bits:
		return strings.Trim(text, "01") == ""
	}
	return true
}

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func literals(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = literal(v)
	}
	return strings.Join(out, ", ")
}

// comparable types mean the same in comparisons on both sides.
func comparable(t database.Type) bool {
	switch t.Kind {
	case database.JSON, database.Bytes, database.Interval, database.Bool, database.Bits:
		return false
	}
	return true
}

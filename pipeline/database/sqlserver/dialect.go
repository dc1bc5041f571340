package sqlserver

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// Collations that keep what equality means in the source.
const (
	exactCollation  = "Latin1_General_100_BIN2"
	noCaseCollation = "Latin1_General_100_CI_AS"
)

// dialect is how SQL Server spells things.
func dialect() *ddl.Dialect {
	objects, constraint := []ddl.Space{{Name: "object"}}, []ddl.Space{{Name: "object"}, {Name: "index", Table: true}}
	return &ddl.Dialect{
		Engine: database.SQLServer,
		Names:  ddl.NameRules{Max: 128, Unit: "characters", Length: sqlengine.Units, Fold: strings.ToLower, Blank: true},
		Spaces: ddl.Spaces{
			Tables: objects, Sequences: objects, Keys: constraint, Checks: objects, Foreign: objects,
			Indexes: []ddl.Space{{Name: "index", Table: true}},
		},
		Namespace: namespace, Schemas: true,
		Nulls: ddl.NullsCollide, NotValid: &[2]string{" WITH NOCHECK", ""}, LooseActions: true,
		Counters: ddl.CountsOne,
		Filtered: true, Include: true,
		TableComment: 3750, ColumnComment: 3750, CommentLength: sqlengine.Units, // of a sql_variant
		Type: mapType, Now: nowSQL, Literal: literalSQL, Comparable: sqlengine.Comparable,
		Identity: identity, Generated: generated, Sequence: sequenceSQL, Actions: actions, Comment: comment,
		Indexed: func(to ddl.Mapped) bool { return !strings.Contains(to.SQL, "(max)") },
	}
}

func identity(q *database.Sequence, _ bool) string {
	if q == nil {
		return " IDENTITY(1,1)"
	}
	return fmt.Sprintf(" IDENTITY(%d,%d)", q.Start, q.Increment)
}

// generated pins the type of a computed column, which SQL Server would derive.
func generated(to ddl.Mapped, expr string, stored bool) string {
	typ, collation, collated := strings.Cut(to.SQL, " COLLATE ")
	sql := "AS (CAST(" + expr + " AS " + typ + ")"
	if collated {
		sql += " COLLATE " + collation
	}
	if stored {
		return sql + ") PERSISTED"
	}
	return sql + ")"
}

func sequenceSQL(name string, q *database.Sequence) string {
	sql := fmt.Sprintf("CREATE SEQUENCE %s AS %s START WITH %d INCREMENT BY %d MINVALUE %d MAXVALUE %d", name, sequenceType(q), q.Next(), q.Increment, min(q.Min, q.Next()), max(q.Max, q.Next()))
	if q.Cycle {
		sql += " CYCLE"
	}
	if q.Cache > 1 {
		return sql + fmt.Sprintf(" CACHE %d", q.Cache)
	}
	return sql + " NO CACHE"
}

func sequenceType(q *database.Sequence) string {
	switch q.Type {
	case "tinyint", "smallint", "int":
		return q.Type
	}
	return "bigint"
}

// actions: SQL Server has no word for RESTRICT, which is what it does.
func actions(_ *ddl.Draft, k *database.ForeignKey) (lost string) {
	for _, a := range []*database.Action{&k.OnDelete, &k.OnUpdate} {
		if *a == database.Restrict {
			*a = database.NoAction
		}
	}
	return ""
}

func comment(schema, table, column, text string) string {
	sql := "EXEC sys.sp_addextendedproperty N'MS_Description', " + quoteText(text) + ", N'SCHEMA', " + quoteText(schema) + ", N'TABLE', " + quoteText(table)
	if column != "" {
		sql += ", N'COLUMN', " + quoteText(column)
	}
	return sql
}

// nowSQL spells the current time.
func nowSQL(to ddl.Mapped) (string, bool) {
	switch to.Type.Kind {
	case database.TimestampTZ:
		return "SYSDATETIMEOFFSET()", true
	case database.Timestamp, database.Date:
		return "SYSDATETIME()", true
	}
	return "", false
}

// literalSQL spells a value as a default.
func literalSQL(c database.Cell, to ddl.Mapped) (string, bool) {
	t := to.Type
	return sqlengine.LiteralDefault(c, t, func(text string) (string, bool) {
		switch t.Kind {
		case database.Date, database.Timestamp, database.TimestampTZ, database.Time:
			_, err := parseMoment(t.Kind, text)
			return quoteText(text), err == nil
		}
		return quoteText(text), true
	})
}

// mapType chooses SQL Server's type for a neutral one.
func mapType(a ddl.Asked) ddl.Mapped {
	t := a.Column.Type
	switch t.Kind {
	case database.Bool:
		return ddl.Mapped{SQL: "bit", Type: database.Type{Kind: database.Bool}}
	case database.Int, database.Year:
		return mapInt(t)
	case database.Decimal:
		if m, ok := mapDecimal(t); ok {
			return m
		}
	case database.Float:
		if t.Bits == 32 {
			return ddl.Mapped{SQL: "real", Type: t, Convert: finite()}
		}
		return ddl.Mapped{SQL: "float(53)", Type: database.Type{Kind: database.Float, Bits: 64}, Convert: finite()}
	case database.Bytes, database.Geometry:
		return mapBytes(t, a)
	case database.UUID:
		return ddl.Mapped{SQL: "uniqueidentifier", Type: database.Type{Kind: database.UUID}}
	case database.Date, database.Time, database.Timestamp, database.TimestampTZ:
		return mapMoment(t, a)
	}
	return mapText(t, a)
}

func mapInt(t database.Type) ddl.Mapped {
	out := ddl.Mapped{Type: database.Type{Kind: t.Kind, Bits: t.Bits, Unsigned: t.Unsigned}}
	bits := t.Bits
	if t.Unsigned && bits != 8 {
		bits++
	}
	switch {
	case t.Kind == database.Year:
		out.SQL = "smallint"
	case bits == 8 && t.Unsigned:
		out.SQL = "tinyint"
	case bits > 0 && bits <= 16:
		out.SQL = "smallint"
	case bits > 0 && bits <= 32:
		out.SQL = "int"
	case bits <= 64:
		out.SQL = "bigint"
	default:
		out.SQL = "decimal(20,0)"
	}
	return out
}

// mapDecimal is false for numbers whose declaration fits no decimal(38).
func mapDecimal(t database.Type) (ddl.Mapped, bool) {
	precision, scale := t.Precision, t.Scale
	if scale < 0 {
		precision, scale = precision-scale, 0
	}
	if t.Precision == 0 || max(precision, scale) > 38 {
		return ddl.Mapped{}, false
	}
	precision = max(precision, scale, 1)
	return ddl.Mapped{
		SQL:  fmt.Sprintf("decimal(%d,%d)", precision, scale),
		Type: database.Type{Kind: database.Decimal, Precision: precision, Scale: scale}, Convert: sqlengine.Digits(precision, scale),
	}, true
}

var errNotFinite = errors.New("SQL Server knows finite numbers only")

func finite() *database.Conversion {
	return &database.Conversion{Cell: func(c database.Cell) (database.Cell, bool, error) {
		if c.Class == database.ClassFloat && (math.IsNaN(c.Float) || math.IsInf(c.Float, 0)) {
			return c, false, errNotFinite
		}
		if c.Class == database.ClassInt {
			return database.Cell{Class: database.ClassFloat, Float: float64(c.Int)}, false, nil
		}
		return c, false, nil
	}}
}

// Sizes that keys may have, in bytes.
const (
	keyBytes = 900
	keyChars = keyBytes / 2
)

func mapBytes(t database.Type, a ddl.Asked) ddl.Mapped {
	out := ddl.Mapped{Type: database.Type{Kind: database.Bytes}}
	switch {
	case t.Length > 0 && t.Length <= 8000:
		out.SQL = fmt.Sprintf("varbinary(%d)", t.Length)
	case a.Keyed:
		out.SQL, out.Lost = fmt.Sprintf("varbinary(%d)", keyBytes), fmt.Sprintf("a key holds at most %d bytes", keyBytes)
	default:
		out.SQL = "varbinary(max)"
	}
	if t.Kind == database.Geometry {
		out.Lost = "a geometry becomes its bytes"
	}
	return out
}

func mapMoment(t database.Type, a ddl.Asked) ddl.Mapped {
	digits := 6
	if t.Fraction != nil {
		digits = min(*t.Fraction, 7)
	}
	out := ddl.Mapped{Type: database.Type{Kind: t.Kind, Fraction: &digits}}
	switch t.Kind {
	case database.Date:
		out.SQL, out.Type.Fraction = "date", nil
	case database.Time:
		out.SQL = fmt.Sprintf("time(%d)", digits)
	case database.Timestamp:
		out.SQL = fmt.Sprintf("datetime2(%d)", digits)
	case database.TimestampTZ:
		out.SQL, out.Type.KeepsOffset = fmt.Sprintf("datetimeoffset(%d)", digits), true
	}
	// earthly is last, so that it sees what will be written.
	out.Convert = sqlengine.Chain(sqlengine.CutFraction(digits), dates(t.Kind, a), earthly(t.Kind))
	return out
}

func dates(k database.Kind, a ddl.Asked) *database.Conversion {
	if k == database.Time {
		return nil
	}
	return database.Dates(a.NotNull, a.Opts.ZeroDates)
}

// earthly refuses what lies outside of SQL Server's calendar and clock.
func earthly(k database.Kind) *database.Conversion {
	return &database.Conversion{Cell: func(c database.Cell) (database.Cell, bool, error) {
		if c.Class != database.ClassText {
			return c, false, nil
		}
		_, err := parseMoment(k, string(c.Bytes))
		return c, false, err
	}}
}

// mapText is for text and for all that becomes text.
func mapText(t database.Type, a ddl.Asked) ddl.Mapped {
	length, lost := t.Length, ""
	switch {
	case t.Kind != database.Text:
		length, lost = sqlengine.TextLength(t)
	case t.Fixed:
		lost = "fixed length becomes varying length"
	}
	out := ddl.Mapped{Type: database.Type{Kind: t.Kind, Values: t.Values}, Lost: lost, Convert: &database.Conversion{Cell: sqlengine.AsText}}
	if t.Kind == database.Any {
		out.Convert = ddl.Spelt(nil)
	}
	if t.Kind == database.Enum {
		out.Check = sqlengine.OneOf(database.SQLServer, t.Values)
		out.Convert = &database.Conversion{Cell: sqlengine.Labels(t.Values)}
	}
	switch {
	case length > 0 && length <= 4000:
		out.SQL = fmt.Sprintf("nvarchar(%d)", length)
	case a.Keyed:
		out.SQL, out.Lost = fmt.Sprintf("nvarchar(%d)", keyChars), fmt.Sprintf("a key holds at most %d characters", keyChars)
	default:
		out.SQL = "nvarchar(max)"
	}
	out.SQL += " COLLATE " + exactCollation
	if t.NoCase {
		out.SQL = strings.TrimSuffix(out.SQL, exactCollation) + noCaseCollation
		out.Type.NoCase = true
	}
	return out
}

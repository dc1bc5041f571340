package postgres

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// mapType chooses PostgreSQL's type for a neutral one.
func mapType(a ddl.Asked) ddl.Mapped {
	t := a.Column.Type
	if a.Engine == database.Postgres && builtin(t) && systemType.MatchString(t.Native) {
		return ddl.Mapped{SQL: t.Native, Type: t}
	}
	switch t.Kind {
	case database.Bool:
		return plain("boolean", database.Type{Kind: database.Bool})
	case database.Int, database.Year:
		return mapInt(t)
	case database.Decimal:
		return mapDecimal(t)
	case database.Float:
		if t.Bits == 32 {
			return plain("real", database.Type{Kind: database.Float, Bits: 32})
		}
		return plain("double precision", database.Type{Kind: database.Float, Bits: 64})
	case database.Bytes:
		return plain("bytea", database.Type{Kind: database.Bytes})
	case database.Geometry:
		return ddl.Mapped{SQL: "bytea", Type: database.Type{Kind: database.Bytes}, Lost: "a geometry becomes its bytes"}
	case database.UUID:
		return plain("uuid", database.Type{Kind: database.UUID})
	case database.JSON:
		return ddl.Mapped{SQL: "json", Type: database.Type{Kind: database.JSON}, Convert: textOnly(a.Opts)}
	case database.Enum:
		if !slices.ContainsFunc(t.Values, func(label string) bool { return len(label) > maxName }) {
			return ddl.Mapped{Labels: t.Values, Type: database.Type{Kind: database.Enum, Values: t.Values}, Convert: labels(t.Values, a.NotNull)}
		}
	case database.Bits:
		return mapBits(t)
	}
	if m, ok := mapTime(t, a); ok {
		return m
	}
	return mapText(t, a.Opts)
}

func plain(sql string, t database.Type) ddl.Mapped { return ddl.Mapped{SQL: sql, Type: t} }

// systemType is how the server prints a type that it has by itself, and an array of such.
var systemType = regexp.MustCompile(`^(smallint|integer|bigint|oid|real|double precision|boolean|text|character varying|character|bpchar|"char"|name|jsonb?|bytea|uuid` +
	`|numeric|money|date|time|timestamp|interval|bit|bit varying)(\((-?\d+)(,-?\d+)?\))?( (year|month|day|hour|minute|second)( to (month|hour|minute|second))?(\(\d\))?)?` +
	`( with(out)? time zone)?(\[\])*$`)

// builtin says that a type needs nothing that the schema would have to create.
func builtin(t database.Type) bool {
	switch t.Kind {
	case database.Enum, database.Other:
		return false
	case database.Array:
		return t.Base != nil && builtin(*t.Base)
	}
	return t.Base == nil && !t.NoCase
}

func mapInt(t database.Type) ddl.Mapped {
	bits := t.Bits
	if t.Kind == database.Year || bits == 0 {
		bits = 16
		if t.Kind == database.Int {
			bits = 64
		}
	}
	if t.Unsigned {
		bits++
	}
	switch {
	case bits <= 16:
		return plain("smallint", database.Type{Kind: database.Int, Bits: 16})
	case bits <= 32:
		return plain("integer", database.Type{Kind: database.Int, Bits: 32})
	case bits <= 64 || t.Fits:
		return plain("bigint", database.Type{Kind: database.Int, Bits: 64})
	}
	return ddl.Mapped{
		SQL: "numeric(20,0)", Type: database.Type{Kind: database.Decimal, Precision: 20},
		Convert: &database.Conversion{Cell: intToDecimal}, Lost: "an unsigned 64-bit integer becomes numeric(20)",
	}
}

func mapDecimal(t database.Type) ddl.Mapped {
	if t.Precision == 0 || t.Precision > 1000 {
		return plain("numeric", database.Type{Kind: database.Decimal})
	}
	return plain(fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale), database.Type{Kind: database.Decimal, Precision: t.Precision, Scale: t.Scale})
}

func mapBits(t database.Type) ddl.Mapped {
	out := database.Type{Kind: database.Bits, Fixed: t.Fixed, Length: t.Length}
	switch {
	case t.Length == 0:
		return plain("bit varying", out)
	case t.Fixed:
		return plain(fmt.Sprintf("bit(%d)", t.Length), out)
	}
	return plain(fmt.Sprintf("bit varying(%d)", t.Length), out)
}

func mapTime(t database.Type, a ddl.Asked) (ddl.Mapped, bool) {
	out := database.Type{Kind: t.Kind, Fraction: t.Fraction}
	if t.Fraction != nil && *t.Fraction > 6 {
		six := 6
		out.Fraction = &six
	}
	digits := ""
	if out.Fraction != nil {
		digits = fmt.Sprintf("(%d)", *out.Fraction)
	}
	dates := func() *database.Conversion { return database.Dates(a.NotNull, a.Opts.ZeroDates) }
	switch t.Kind {
	case database.Date:
		return ddl.Mapped{SQL: "date", Type: out, Convert: dates()}, true
	case database.Timestamp:
		return ddl.Mapped{SQL: "timestamp" + digits + " without time zone", Type: out, Convert: dates()}, true
	case database.TimestampTZ:
		m := ddl.Mapped{SQL: "timestamp" + digits + " with time zone", Type: out, Convert: dates()}
		if t.KeepsOffset {
			m.Lost = "values are kept in UTC, without their own offset"
			m.Convert = &database.Conversion{Cell: database.ToUTC, Code: database.CodeOffset, Lost: "the offset of a time is not kept"}
		}
		return m, true
	case database.Time:
		if database.Family(a.Engine) == database.MySQL {
			return ddl.Mapped{
				SQL: "interval", Type: database.Type{Kind: database.Interval},
				Convert: &database.Conversion{Cell: database.TimeToInterval}, Lost: "TIME may exceed a day and becomes interval",
			}, true
		}
		return ddl.Mapped{SQL: "time" + digits + " without time zone", Type: out}, true
	case database.TimeTZ:
		return ddl.Mapped{SQL: "time" + digits + " with time zone", Type: out}, true
	case database.Interval:
		return ddl.Mapped{SQL: "interval", Type: out}, true
	}
	return ddl.Mapped{}, false
}

// maxVarchar is the largest length that PostgreSQL declares.
const maxVarchar = 10485760

func mapText(t database.Type, opts database.PlanOptions) ddl.Mapped {
	m := ddl.Mapped{SQL: "text", Type: database.Type{Kind: database.Text}, Convert: textOnly(opts)}
	if t.Kind == database.Text && t.Length > 0 && t.Length <= maxVarchar {
		m.SQL = fmt.Sprintf("character varying(%d)", t.Length)
		m.Type.Length = t.Length
	}
	switch {
	case t.Kind == database.Any:
		m.Lost, m.Convert = "a column of mixed contents becomes text", ddl.Spelt(m.Convert)
	case t.Kind == database.Enum:
		m.Lost = "an enumeration becomes text, since a label is longer than PostgreSQL's may be"
	case t.Kind == database.Set:
		m.Lost = "a set becomes text, its labels joined by commas"
	case t.Kind != database.Text:
		m.Lost = "the type " + t.Native + " becomes text"
	case t.NoCase:
		m.Lost = "equality that ignores case becomes exact"
	case t.Fixed:
		m.Lost = "fixed length becomes varying length"
	}
	return m
}

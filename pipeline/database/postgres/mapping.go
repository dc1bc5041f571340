package postgres

import (
	"fmt"
	"regexp"

	"github.com/packstone/packstone/pipeline/database"
)

// mapped is what a column of another engine becomes.
type mapped struct {
	sql     string // the type in DDL
	typ     database.Type
	convert *database.Conversion
	lost    string // why it is not exact
}

// mapType chooses PostgreSQL's type for a neutral one. enum names the type that
// an enumeration gets.
func mapType(t database.Type, engine, enum string, notNull bool, opts database.PlanOptions) mapped {
	if engine == database.Postgres && builtin(t) && systemType.MatchString(t.Native) {
		return mapped{sql: t.Native, typ: t}
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
		return mapped{sql: "bytea", typ: database.Type{Kind: database.Bytes}, lost: "a geometry becomes its bytes"}
	case database.UUID:
		return plain("uuid", database.Type{Kind: database.UUID})
	case database.JSON:
		return mapped{sql: "json", typ: database.Type{Kind: database.JSON}, convert: textOnly(opts)}
	case database.Enum:
		return mapped{sql: enum, typ: database.Type{Kind: database.Enum, Values: t.Values}, convert: labels(t.Values, notNull)}
	case database.Bits:
		return mapBits(t)
	}
	if m, ok := mapTime(t, engine, notNull, opts); ok {
		return m
	}
	return mapText(t, opts)
}

func plain(sql string, t database.Type) mapped { return mapped{sql: sql, typ: t} }

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

func mapInt(t database.Type) mapped {
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
	return mapped{
		sql: "numeric(20,0)", typ: database.Type{Kind: database.Decimal, Precision: 20},
		convert: &database.Conversion{Cell: intToDecimal}, lost: "an unsigned 64-bit integer becomes numeric(20)",
	}
}

func mapDecimal(t database.Type) mapped {
	if t.Precision == 0 || t.Precision > 1000 {
		return plain("numeric", database.Type{Kind: database.Decimal})
	}
	return plain(fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale), database.Type{Kind: database.Decimal, Precision: t.Precision, Scale: t.Scale})
}

func mapBits(t database.Type) mapped {
	out := database.Type{Kind: database.Bits, Fixed: t.Fixed, Length: t.Length}
	switch {
	case t.Length == 0:
		return plain("bit varying", out)
	case t.Fixed:
		return plain(fmt.Sprintf("bit(%d)", t.Length), out)
	}
	return plain(fmt.Sprintf("bit varying(%d)", t.Length), out)
}

func mapTime(t database.Type, engine string, notNull bool, opts database.PlanOptions) (mapped, bool) {
	out := database.Type{Kind: t.Kind, Fraction: t.Fraction}
	if t.Fraction != nil && *t.Fraction > 6 {
		six := 6
		out.Fraction = &six
	}
	digits := ""
	if out.Fraction != nil {
		digits = fmt.Sprintf("(%d)", *out.Fraction)
	}
	dates := func() *database.Conversion { return database.Dates(notNull, opts.ZeroDates) }
	switch t.Kind {
	case database.Date:
		return mapped{sql: "date", typ: out, convert: dates()}, true
	case database.Timestamp:
		return mapped{sql: "timestamp" + digits + " without time zone", typ: out, convert: dates()}, true
	case database.TimestampTZ:
		m := mapped{sql: "timestamp" + digits + " with time zone", typ: out, convert: dates()}
		if t.KeepsOffset {
			m.lost = "values are kept in UTC, without their own offset"
			m.convert = &database.Conversion{Cell: database.ToUTC, Code: database.CodeOffset, Lost: "the offset of a time is not kept"}
		}
		return m, true
	case database.Time:
		if database.Family(engine) == database.MySQL {
			return mapped{
				sql: "interval", typ: database.Type{Kind: database.Interval},
				convert: &database.Conversion{Cell: database.TimeToInterval}, lost: "TIME may exceed a day and becomes interval",
			}, true
		}
		return mapped{sql: "time" + digits + " without time zone", typ: out}, true
	case database.TimeTZ:
		return mapped{sql: "time" + digits + " with time zone", typ: out}, true
	case database.Interval:
		return mapped{sql: "interval", typ: out}, true
	}
	return mapped{}, false
}

// maxVarchar is the largest length that PostgreSQL declares.
const maxVarchar = 10485760

func mapText(t database.Type, opts database.PlanOptions) mapped {
	m := mapped{sql: "text", typ: database.Type{Kind: database.Text}, convert: textOnly(opts)}
	if t.Kind == database.Text && t.Length > 0 && t.Length <= maxVarchar {
		m.sql = fmt.Sprintf("character varying(%d)", t.Length)
		m.typ.Length = t.Length
	}
	switch {
	case t.Kind == database.Set:
		m.lost = "a set becomes text, its labels joined by commas"
	case t.Kind != database.Text:
		m.lost = "the type " + t.Native + " becomes text"
	case t.NoCase:
		m.lost = "equality that ignores case becomes exact"
	case t.Fixed:
		m.lost = "fixed length becomes varying length"
	}
	return m
}

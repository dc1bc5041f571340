package sqlserver

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// column is a column as the catalog has it.
type column struct {
	name       string
	base       string // the system's type
	alias      string // the user's type over it, if any
	length     int    // bytes; -1: max
	precision  int
	scale      int
	nullable   bool
	collation  string
	identity   bool
	seed, step int64
	last       *int64 // the last value given out
	computed   string
	persisted  bool
	value      string // the default
	period     bool   // of a temporal table
	comment    string
	encrypted  bool   // by the clients (Always Encrypted)
	hidden     string // what the user may not see of it
}

// unicode says that text is held as UTF-16.
func (c *column) unicode() bool { return strings.HasPrefix(c.base, "n") }

// codePage says that text is held in a code page other than UTF-8.
func (c *column) codePage() bool {
	switch c.base {
	case "char", "varchar", "text":
		return !strings.Contains(strings.ToUpper(c.collation), "_UTF8")
	}
	return false
}

// chars is the declared length in characters; 0: no limit.
func (c *column) chars() int64 {
	switch {
	case c.length < 0:
		return 0
	case c.unicode():
		return int64(c.length / 2)
	}
	return int64(c.length)
}

func fraction(digits int) *int { return &digits }

// typeOf gives the type in the seam's words.
func (c *column) typeOf() database.Type {
	t := database.Type{Native: c.native()}
	switch c.base {
	case "bit":
		t.Kind = database.Bool
	case "tinyint":
		t.Kind, t.Bits, t.Unsigned = database.Int, 8, true
	case "smallint":
		t.Kind, t.Bits = database.Int, 16
	case "int":
		t.Kind, t.Bits = database.Int, 32
	case "bigint":
		t.Kind, t.Bits = database.Int, 64
	case "decimal", "numeric", "money", "smallmoney":
		t.Kind, t.Precision, t.Scale = database.Decimal, c.precision, c.scale
	case "real":
		t.Kind, t.Bits = database.Float, 32
	case "float":
		t.Kind, t.Bits = database.Float, 64
	case "char", "nchar", "varchar", "nvarchar":
		t.Kind, t.Length, t.Fixed = database.Text, c.chars(), c.base == "char" || c.base == "nchar"
	case "text", "ntext":
		t.Kind = database.Text
	case "binary", "varbinary":
		t.Kind, t.Length, t.Fixed = database.Bytes, c.chars(), c.base == "binary"
	case "timestamp":
		t.Kind, t.Length, t.Fixed = database.Bytes, 8, true
	case "image":
		t.Kind = database.Bytes
	case "date":
		t.Kind = database.Date
	case "time":
		t.Kind, t.Fraction = database.Time, fraction(c.scale)
	case "smalldatetime":
		t.Kind, t.Fraction = database.Timestamp, fraction(0)
	case "datetime":
		t.Kind, t.Fraction = database.Timestamp, fraction(3)
	case "datetime2":
		t.Kind, t.Fraction = database.Timestamp, fraction(c.scale)
	case "datetimeoffset":
		t.Kind, t.Fraction, t.KeepsOffset = database.TimestampTZ, fraction(c.scale), true
	case "uniqueidentifier":
		t.Kind = database.UUID
	case "geography", "geometry":
		t.Kind = database.Geometry
	case "json":
		t.Kind = database.JSON
	default:
		t.Kind = database.Other
	}
	t.Collation = c.collation
	t.NoCase = t.Kind == database.Text && strings.Contains(strings.ToUpper(c.collation), "_CI")
	return t
}

// readable says that we know how to read values.
func (c *column) readable() bool {
	if c.encrypted {
		return false
	}
	switch c.base {
	case "xml", "sql_variant", "hierarchyid":
		return true
	}
	return c.typeOf().Kind != database.Other
}

// native is the type in DDL. A rowversion keeps its values, so it becomes bytes.
func (c *column) native() string {
	out := c.base
	switch c.base {
	case "char", "nchar", "varchar", "nvarchar", "binary", "varbinary":
		if c.length < 0 {
			out += "(max)"
		} else {
			out += fmt.Sprintf("(%d)", c.chars())
		}
	case "decimal", "numeric":
		out += fmt.Sprintf("(%d,%d)", c.precision, c.scale)
	case "time", "datetime2", "datetimeoffset":
		out += fmt.Sprintf("(%d)", c.scale)
	case "timestamp":
		out = "binary(8)"
	}
	if c.collation != "" {
		out += " COLLATE " + c.collation
	}
	return out
}

// reading says how a column is selected and read, given the type that is wanted
// of it.
func (c *column) reading(want database.Type) sqlengine.Reading {
	name := "t." + quote(c.name)
	plain := func(sql string, add func(*database.Batch, any) error) sqlengine.Reading {
		return sqlengine.Reading{SQL: []string{sql}, Add: sqlengine.One(add)}
	}
	spelt := func(sql string, spell func(string) (string, error)) sqlengine.Reading {
		return sqlengine.Reading{SQL: []string{sql}, Add: sqlengine.Spelt(spell)}
	}
	switch c.base {
	case "bit", "tinyint", "smallint", "int", "bigint":
		return plain(name, sqlengine.Int)
	case "decimal", "numeric":
		return plain("CONVERT(varchar(42), "+name+")", c.number(want))
	case "money", "smallmoney":
		return plain("CONVERT(varchar(42), "+name+", 2)", c.number(want))
	case "real":
		return plain("CAST("+name+" AS float(53))", sqlengine.Float)
	case "float":
		return plain(name, sqlengine.Float)
	case "char", "varchar", "text":
		if c.length > 0 && c.length <= 4000 && c.base != "text" {
			return plain("CONVERT(nvarchar(4000), "+name+")", sqlengine.Verbatim)
		}
		return plain("CONVERT(nvarchar(max), "+name+")", sqlengine.Verbatim)
	case "ntext", "xml", "json":
		return plain("CONVERT(nvarchar(max), "+name+")", sqlengine.Verbatim)
	case "nchar", "nvarchar":
		return plain(name, sqlengine.Verbatim)
	case "binary", "varbinary":
		return plain(name, sqlengine.Blob)
	case "timestamp":
		return plain("CAST("+name+" AS binary(8))", sqlengine.Blob)
	case "image", "geography", "geometry":
		return plain("CAST("+name+" AS varbinary(max))", sqlengine.Blob)
	case "date":
		return spelt("CONVERT(char(10), "+name+", 23)", momentFrom)
	case "time":
		return spelt("CONVERT(varchar(16), "+name+", 121)", momentFrom)
	case "smalldatetime", "datetime", "datetime2":
		return spelt("CONVERT(varchar(27), "+name+", 121)", momentFrom)
	case "datetimeoffset":
		return spelt("CONVERT(varchar(34), "+name+", 121)", momentFrom)
	case "uniqueidentifier":
		return plain("LOWER(CONVERT(char(36), "+name+"))", sqlengine.Verbatim)
	case "hierarchyid":
		return plain(name+".ToString()", sqlengine.Verbatim)
	case "sql_variant":
		return plain(variantSQL(name), sqlengine.Verbatim)
	}
	return plain("CONVERT(nvarchar(max), "+name+")", sqlengine.Verbatim)
}

func (c *column) number(want database.Type) func(*database.Batch, any) error {
	switch want.Kind {
	case database.Int, database.Bool, database.Year:
		return sqlengine.Int
	}
	return func(b *database.Batch, v any) error { return sqlengine.Decimal(b, v, true, c.scale) }
}

// momentFrom trims a fraction and joins an offset to its time.
func momentFrom(text string) (string, error) {
	text = strings.TrimSpace(text)
	day, rest, both := strings.Cut(text, " ")
	if !both {
		return sqlengine.TrimFraction(day), nil
	}
	clock, zone, _ := strings.Cut(rest, " ")
	return day + " " + sqlengine.TrimFraction(clock) + zone, nil
}

// variants are the types that a sql_variant may hold, with the styles in which
// their text is read and written.
var variants = map[string]struct {
	sql   string // the type to convert to; %s: as the tag says
	style int    // 0: none
}{
	"bit": {"bit", 0}, "tinyint": {"tinyint", 0}, "smallint": {"smallint", 0}, "int": {"int", 0}, "bigint": {"bigint", 0},
	"decimal": {"%s", 0}, "numeric": {"%s", 0}, "money": {"money", 2}, "smallmoney": {"smallmoney", 2},
	"real": {"real", 3}, "float": {"float", 3},
	"char": {"varchar(8000)", 0}, "varchar": {"varchar(8000)", 0}, "nchar": {"nvarchar(4000)", 0}, "nvarchar": {"nvarchar(4000)", 0},
	"binary": {"varbinary(8000)", 1}, "varbinary": {"varbinary(8000)", 1},
	"date": {"date", 121}, "time": {"time(7)", 121}, "smalldatetime": {"smalldatetime", 121}, "datetime": {"datetime", 121},
	"datetime2": {"datetime2(7)", 121}, "datetimeoffset": {"datetimeoffset(7)", 121}, "uniqueidentifier": {"uniqueidentifier", 0},
}

// variantSQL spells a sql_variant as its type, a colon and its text.
func variantSQL(name string) string {
	kind := "CONVERT(nvarchar(128), SQL_VARIANT_PROPERTY(" + name + ", 'BaseType'))"
	digits := "CONVERT(nvarchar(10), SQL_VARIANT_PROPERTY(" + name + ", '%s'))"
	text := func(sql string, style int) string {
		return fmt.Sprintf("CONVERT(nvarchar(max), CONVERT(%s, %s), %d)", sql, name, style)
	}
	return "CASE WHEN " + name + " IS NULL THEN NULL ELSE " + kind + " + CASE WHEN " + kind + " IN ('decimal', 'numeric') THEN N'(' + " +
		fmt.Sprintf(digits, "Precision") + " + N',' + " + fmt.Sprintf(digits, "Scale") + " + N')' ELSE N'' END + N':' + CASE " + kind +
		" WHEN 'real' THEN " + text("real", 3) + " WHEN 'float' THEN " + text("float", 3) +
		" WHEN 'money' THEN " + text("money", 2) + " WHEN 'smallmoney' THEN " + text("smallmoney", 2) +
		" WHEN 'binary' THEN " + text("varbinary(8000)", 1) + " WHEN 'varbinary' THEN " + text("varbinary(8000)", 1) +
		" WHEN 'date' THEN " + text("date", 121) + " WHEN 'time' THEN " + text("time(7)", 121) +
		" WHEN 'smalldatetime' THEN " + text("smalldatetime", 121) + " WHEN 'datetime' THEN " + text("datetime", 121) +
		" WHEN 'datetime2' THEN " + text("datetime2(7)", 121) + " WHEN 'datetimeoffset' THEN " + text("datetimeoffset(7)", 121) +
		" ELSE CONVERT(nvarchar(max), " + name + ") END END"
}

// variantValue is the expression that makes a sql_variant of a tag and the text
// in a parameter; ok is false for a tag that no server writes.
func variantValue(tag, parameter string) (string, bool) {
	base, rest, sized := strings.Cut(tag, "(")
	v, ok := variants[base]
	if !ok || sized && (v.sql != "%s" || strings.Trim(rest, "0123456789,)") != "" || !strings.HasSuffix(rest, ")")) {
		return "", false
	}
	typ := v.sql
	if typ == "%s" {
		typ = tag
	}
	convert := "CONVERT(" + typ + ", " + parameter
	if v.style != 0 {
		convert += fmt.Sprintf(", %d", v.style)
	}
	return "CAST(" + convert + ") AS sql_variant)", true
}

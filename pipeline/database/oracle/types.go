package oracle

import (
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// column is a column as the dictionary has it.
type column struct {
	name      string
	data      string // DATA_TYPE
	dataOwner string
	length    int64 // bytes
	precision *int
	scale     *int
	chars     int64
	charUsed  bool // the length is declared in characters
	nullable  bool
	value     string // DATA_DEFAULT
	virtual   bool
	identity  bool
	comment   string
	invisible bool
	onNull    bool // the default takes the place of a null too
	// integral says that all values of a NUMBER without precision are integers of
	// 64 bits, in this snapshot.
	integral bool
}

// family is the type without its precision: TIMESTAMP(6) WITH TIME ZONE is
// TIMESTAMP WITH TIME ZONE.
func (c *column) family() string {
	out, rest, found := c.data, "", true
	for found {
		out, rest, found = strings.Cut(out, "(")
		if found {
			_, after, _ := strings.Cut(rest, ")")
			out += after
		}
	}
	return out
}

// object says that values are of a type that somebody created.
func (c *column) object() bool {
	return c.dataOwner != "" && c.family() != "XMLTYPE" && c.family() != "ANYDATA" && c.family() != "ANYTYPE" && c.family() != "ANYDATASET"
}

// unbounded says that it is a NUMBER whose declaration allows more than an
// integer of 64 bits, though its values might not need it.
func (c *column) unbounded() bool {
	if c.data != "NUMBER" {
		return false
	}
	if c.precision == nil {
		return c.scale == nil || *c.scale == 0
	}
	return *c.precision > 18 && c.scale != nil && *c.scale == 0
}

// typeOf gives the type in the seam's words; ok is false where values cannot be
// read.
func (c *column) typeOf() (t database.Type, ok bool) {
	t.Native = c.native()
	switch c.family() {
	case "NUMBER":
		c.numberType(&t)
	case "FLOAT":
		t.Kind = database.Decimal
	case "BINARY_FLOAT":
		t.Kind, t.Bits = database.Float, 32
	case "BINARY_DOUBLE":
		t.Kind, t.Bits = database.Float, 64
	case "VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR":
		t.Kind, t.Length = database.Text, c.chars
		t.Fixed = strings.HasSuffix(c.family(), "CHAR")
		if c.chars == 0 {
			t.Length = c.length
		}
	case "CLOB", "NCLOB", "LONG":
		t.Kind = database.Text
	case "RAW":
		t.Kind, t.Length = database.Bytes, c.length
	case "BLOB", "LONG RAW":
		t.Kind = database.Bytes
	case "DATE":
		zero := 0
		t.Kind, t.Fraction = database.Timestamp, &zero
	case "TIMESTAMP":
		t.Kind, t.Fraction = database.Timestamp, c.scale
	case "TIMESTAMP WITH TIME ZONE":
		t.Kind, t.Fraction, t.KeepsOffset = database.TimestampTZ, c.scale, true
	case "TIMESTAMP WITH LOCAL TIME ZONE":
		t.Kind, t.Fraction = database.TimestampTZ, c.scale
	case "INTERVAL YEAR TO MONTH", "INTERVAL DAY TO SECOND":
		t.Kind = database.Interval
	case "BOOLEAN":
		t.Kind = database.Bool
	case "JSON":
		t.Kind = database.JSON
	case "ROWID", "UROWID", "XMLTYPE", "VECTOR":
		t.Kind = database.Other
	default:
		if !c.object() {
			return t, false
		}
		t.Kind, t.Native = database.Other, "CLOB"
	}
	return t, true
}

func (c *column) numberType(t *database.Type) {
	t.Kind = database.Decimal
	switch {
	case c.integral:
		t.Kind, t.Bits = database.Int, 64
	case c.precision == nil && c.scale != nil: // INTEGER, which is NUMBER(*,0)
		t.Precision, t.Scale = 38, *c.scale
	case c.precision == nil:
	case c.scale != nil && *c.scale == 0 && *c.precision <= 18:
		t.Kind, t.Bits = database.Int, intBits(*c.precision)
	default:
		t.Precision = *c.precision
		if c.scale != nil {
			t.Scale = *c.scale
		}
	}
}

// intBits is the size of the integer that holds any number of these digits.
func intBits(digits int) int {
	switch {
	case digits <= 2:
		return 8
	case digits <= 4:
		return 16
	case digits <= 9:
		return 32
	}
	return 64
}

// native is the type in DDL.
func (c *column) native() string {
	switch c.family() {
	case "NUMBER":
		switch {
		case c.precision == nil && c.scale == nil:
			return "NUMBER"
		case c.precision == nil:
			return fmt.Sprintf("NUMBER(*,%d)", *c.scale)
		case c.scale == nil || *c.scale == 0:
			return fmt.Sprintf("NUMBER(%d)", *c.precision)
		}
		return fmt.Sprintf("NUMBER(%d,%d)", *c.precision, *c.scale)
	case "FLOAT":
		if c.precision != nil {
			return fmt.Sprintf("FLOAT(%d)", *c.precision)
		}
	case "VARCHAR2", "CHAR":
		if c.charUsed {
			return fmt.Sprintf("%s(%d CHAR)", c.data, c.chars)
		}
		return fmt.Sprintf("%s(%d BYTE)", c.data, c.length)
	case "NVARCHAR2", "NCHAR":
		return fmt.Sprintf("%s(%d)", c.data, c.chars)
	case "RAW", "UROWID":
		return fmt.Sprintf("%s(%d)", c.data, c.length)
	}
	return c.data
}

// reading says how a column is selected and read, given the type that is wanted
// of it: a number may be asked for as an integer or a decimal.
func (c *column) reading(want database.Type) (sqlengine.Reading, bool) {
	name := "t." + quote(c.name)
	spelt := func(sql string, spell func(string) (string, error)) (sqlengine.Reading, bool) {
		return sqlengine.Reading{SQL: []string{sql}, Add: sqlengine.Spelt(spell)}, true
	}
	plain := func(sql string, add func(*database.Batch, any) error) (sqlengine.Reading, bool) {
		return sqlengine.Reading{SQL: []string{sql}, Add: sqlengine.One(add)}, true
	}
	large := func(sql string, add func(*database.Batch, any) error) (sqlengine.Reading, bool) {
		mark := "CASE WHEN " + name + " IS NULL THEN 0 ELSE 1 END"
		return sqlengine.Reading{SQL: []string{sql, mark}, Add: largeFrom(add, "")}, true
	}
	switch c.family() {
	case "NUMBER", "FLOAT":
		return plain("TO_CHAR("+name+", "+numberFormat+")", func(b *database.Batch, v any) error { return numberFrom(b, v, want) })
	case "BINARY_FLOAT":
		return plain("TO_BINARY_DOUBLE("+name+")", sqlengine.Float)
	case "BINARY_DOUBLE":
		return plain(name, sqlengine.Float)
	case "VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "LONG":
		return plain(name, sqlengine.Verbatim)
	case "CLOB", "NCLOB":
		return large(name, sqlengine.Verbatim)
	case "RAW", "LONG RAW":
		return plain(name, sqlengine.Blob)
	case "BLOB":
		return large(name, sqlengine.Blob)
	case "DATE":
		format := dateFormat
		if want.Kind == database.Date {
			format = dayFormat
		}
		return spelt("TO_CHAR("+name+", '"+format+"')", momentFrom)
	case "TIMESTAMP":
		return spelt("TO_CHAR("+name+", '"+stampFormat+"')", momentFrom)
	case "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH LOCAL TIME ZONE":
		return spelt("TO_CHAR("+name+", '"+zonedFormat+"')", momentFrom)
	case "INTERVAL YEAR TO MONTH":
		return spelt("TO_CHAR("+name+")", yearMonthFrom)
	case "INTERVAL DAY TO SECOND":
		return spelt("TO_CHAR("+name+")", daySecondFrom)
	case "BOOLEAN":
		return plain("CASE WHEN "+name+" THEN 1 WHEN NOT "+name+" THEN 0 END", intFrom)
	case "JSON":
		return large("JSON_SERIALIZE("+name+" RETURNING CLOB)", sqlengine.Verbatim)
	case "VECTOR":
		return large("FROM_VECTOR("+name+" RETURNING CLOB)", sqlengine.Verbatim)
	case "ROWID":
		return plain("ROWIDTOCHAR("+name+")", sqlengine.Verbatim)
	case "UROWID":
		return plain("CAST("+name+" AS VARCHAR2(4000))", sqlengine.Verbatim)
	case "XMLTYPE":
		return large("XMLSERIALIZE(CONTENT "+name+" AS CLOB)", sqlengine.Verbatim)
	}
	if c.object() {
		return large("CASE WHEN "+name+" IS NOT NULL THEN XMLSERIALIZE(CONTENT XMLTYPE("+name+") AS CLOB) END", sqlengine.Verbatim)
	}
	return sqlengine.Reading{}, false
}

// intFrom reads an integer that the client may give as a string or a number.
func intFrom(b *database.Batch, v any) error {
	if f, ok := v.(float64); ok {
		v = int64(f)
	}
	return sqlengine.Int(b, v)
}

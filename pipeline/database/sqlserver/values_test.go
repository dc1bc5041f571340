package sqlserver

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// read reads driver values through a column's reading.
func read(t *testing.T, c *column, want database.Type, value any) string {
	t.Helper()
	b := database.NewBatch()
	defer b.Release()
	if err := c.reading(want).Add(b, []any{value}); err != nil {
		return "error: " + err.Error()
	}
	b.EndRow()
	cell, _, err := database.NextCell(b.Row(0))
	if err != nil {
		t.Fatal(err)
	}
	return databasetest.Show(cell)
}

func typed(base string, scale int) *column { return &column{name: "c", base: base, scale: scale} }

func TestValuesAreReadIntoCanonicalForm(t *testing.T) {
	for _, c := range []struct {
		column *column
		value  any
		want   string
	}{
		{typed("bit", 0), true, "1"}, {typed("tinyint", 0), int64(255), "255"}, {typed("bigint", 0), int64(math.MinInt64), "-9223372036854775808"},
		{typed("decimal", 10), "1234567890123456789012345678.0123456789", "'1234567890123456789012345678.0123456789'"},
		{typed("decimal", 2), "-0.50", "'-0.50'"}, {typed("numeric", 0), "0", "'0'"}, {typed("money", 4), "-922337203685477.5808", "'-922337203685477.5808'"},
		{typed("real", 0), 0.10000000149011612, "f0.10000000149011612"}, {typed("float", 0), -1.5e-300, "f-1.5e-300"},
		{typed("char", 0), "ab ", "'ab '"}, {typed("nvarchar", 0), "日本\x00", "'日本\x00'"}, {typed("nvarchar", 0), "", "''"}, {typed("varchar", 0), nil, "null"},
		{typed("varbinary", 0), []byte{}, "x"}, {typed("timestamp", 0), []byte{0, 0, 0, 0, 0, 0, 7, 209}, "x00000000000007d1"}, {typed("image", 0), nil, "null"},
		{typed("date", 0), "0001-01-01", "'0001-01-01'"}, {typed("time", 7), "23:59:59.9999999", "'23:59:59.9999999'"}, {typed("time", 0), "08:00:00", "'08:00:00'"},
		{typed("smalldatetime", 0), "2026-11-22 17:00:00.000", "'2026-11-22 17:00:00'"}, {typed("datetime", 0), "1753-01-01 00:00:00.003", "'1753-01-01 00:00:00.003'"},
		{typed("datetime2", 7), "9999-12-31 23:59:59.9999990", "'9999-12-31 23:59:59.999999'"},
		{typed("datetimeoffset", 7), "2026-11-22 17:00:00.1000000 -03:30", "'2026-11-22 17:00:00.1-03:30'"},
		{typed("uniqueidentifier", 0), "6f9619ff-8b86-d011-b42d-00c04fc964ff", "'6f9619ff-8b86-d011-b42d-00c04fc964ff'"},
		{typed("xml", 0), "<a>1</a>", "'<a>1</a>'"}, {typed("hierarchyid", 0), "/1/2.5/", "'/1/2.5/'"}, {typed("geography", 0), []byte{0xe6, 0x10}, "xe610"},
		{typed("sql_variant", 0), "decimal(5,2):1.50", "'decimal(5,2):1.50'"},
		{typed("int", 0), "x", `error: "x" is no integer of 64 bits`},
	} {
		if got := read(t, c.column, c.column.typeOf(), c.value); got != c.want {
			t.Errorf("%s %v = %s, want %s", c.column.base, c.value, got, c.want)
		}
	}
	unsigned := database.Type{Kind: database.Int, Bits: 64, Unsigned: true}
	if got := read(t, typed("decimal", 0), unsigned, "18446744073709551615"); got != "'18446744073709551615'" {
		t.Errorf("the largest unsigned integer is %s", got)
	}
}

func text(s string) database.Cell { return database.Cell{Class: database.ClassText, Bytes: []byte(s)} }

func TestValuesAreSentAsBulkCopyTakesThem(t *testing.T) {
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		base string
		cell database.Cell
		want any
	}{
		{"bit", database.Cell{Class: database.ClassInt, Int: 1}, true}, {"bigint", database.Cell{Class: database.ClassInt, Int: -7}, int64(-7)},
		{"decimal", text("1.50"), "1.50"}, {"decimal", database.Cell{Class: database.ClassInt, Int: 3}, "3"}, {"money", text("0.0001"), "0.0001"},
		{"float", database.Cell{Class: database.ClassFloat, Float: 2.5}, 2.5}, {"nvarchar", text(""), ""},
		{"varbinary", database.Cell{Class: database.ClassBlob}, []byte{}},
		{"date", text("2026-11-22"), day}, {"datetime", text("2026-11-22"), day}, {"datetime2", text("2026-11-22 00:00:00"), day},
		{"uniqueidentifier", text("6f9619ff-8b86-d011-b42d-00c04fc964ff"), []byte{0xff, 0x19, 0x96, 0x6f, 0x86, 0x8b, 0x11, 0xd0, 0xb4, 0x2d, 0, 0xc0, 0x4f, 0xc9, 0x64, 0xff}},
	} {
		got, err := bindingOf(typed(c.base, 0)).value(c.cell)
		same := false
		switch want := c.want.(type) {
		case []byte:
			sent, ok := got.([]byte)
			same = ok && sent != nil && bytes.Equal(sent, want)
		case time.Time:
			sent, ok := got.(time.Time)
			same = ok && sent.Equal(want)
		default:
			same = got == c.want
		}
		if err != nil || !same {
			t.Errorf("%s %s is sent as %#v, %v, want %#v", c.base, databasetest.Show(c.cell), got, err, c.want)
		}
	}
	for _, bad := range []struct {
		base string
		cell database.Cell
	}{
		{"date", text("0044-03-15 BC")}, {"date", text("infinity")}, {"date", text("2026-02-31")}, {"datetime2", text("10000-01-01 00:00:00")}, {"time", text("24:00:00")},
		{"datetimeoffset", text("2026-01-01 00:00:00+15:00")}, {"datetimeoffset", text("0001-01-01 00:00:00+01:00")}, {"datetimeoffset", text("2026-01-01 00:00:00+01:00:30")},
		{"uniqueidentifier", text("xyz")}, {"bigint", text("18446744073709551615")}, {"nvarchar", database.Cell{Class: database.ClassBlob, Bytes: []byte{0xff}}},
	} {
		if got, err := bindingOf(typed(bad.base, 0)).value(bad.cell); err == nil {
			t.Errorf("%s %s is sent as %v", bad.base, databasetest.Show(bad.cell), got)
		}
	}
}

func TestVariantsKeepTheirTypes(t *testing.T) {
	for _, c := range []struct{ tag, want string }{
		{"int", "CAST(CONVERT(int, @p1) AS sql_variant)"}, {"decimal(5,2)", "CAST(CONVERT(decimal(5,2), @p1) AS sql_variant)"},
		{"datetime", "CAST(CONVERT(datetime, @p1, 121) AS sql_variant)"}, {"varbinary", "CAST(CONVERT(varbinary(8000), @p1, 1) AS sql_variant)"},
	} {
		if got, ok := variantValue(c.tag, "@p1"); !ok || got != c.want {
			t.Errorf("%s is written as %s, want %s", c.tag, got, c.want)
		}
	}
	for _, bad := range []string{"", "int(3)", "decimal(5,2", "decimal(5,2) --", "decimal(5);x)", "xml", "int, 1) --"} {
		if got, ok := variantValue(bad, "@p1"); ok {
			t.Errorf("%q is written as %s", bad, got)
		}
	}
}

func foreign(kind database.Kind, set func(*database.Column)) ddl.Asked {
	c := &database.Column{Name: "c", Type: database.Type{Kind: kind}}
	if set != nil {
		set(c)
	}
	return ddl.Asked{Column: c, NotNull: c.NotNull, Engine: database.Postgres}
}

func TestForeignTypesAreMapped(t *testing.T) {
	const exact = " COLLATE Latin1_General_100_BIN2"
	bits := func(n int, unsigned bool) func(*database.Column) {
		return func(c *database.Column) { c.Type.Bits, c.Type.Unsigned = n, unsigned }
	}
	for _, c := range []struct {
		asked ddl.Asked
		want  string
		exact bool
	}{
		{foreign(database.Bool, nil), "bit", true},
		{foreign(database.Int, bits(8, true)), "tinyint", true}, {foreign(database.Int, bits(8, false)), "smallint", true},
		{foreign(database.Int, bits(16, true)), "int", true}, {foreign(database.Int, bits(32, true)), "bigint", true}, {foreign(database.Int, bits(64, false)), "bigint", true},
		{foreign(database.Int, bits(64, true)), "decimal(20,0)", true}, {foreign(database.Year, nil), "smallint", true},
		{foreign(database.Decimal, func(c *database.Column) { c.Type.Precision, c.Type.Scale = 12, 3 }), "decimal(12,3)", true},
		{foreign(database.Decimal, func(c *database.Column) { c.Type.Precision, c.Type.Scale = 5, -2 }), "decimal(7,0)", true},
		{foreign(database.Decimal, nil), "nvarchar(max)" + exact, false},
		{foreign(database.Float, bits(32, false)), "real", true}, {foreign(database.Float, bits(64, false)), "float(53)", true},
		{foreign(database.Text, func(c *database.Column) { c.Type.Length = 255 }), "nvarchar(255)" + exact, true},
		{foreign(database.Text, nil), "nvarchar(max)" + exact, true},
		{foreign(database.Text, func(c *database.Column) { c.Type.NoCase = true }), "nvarchar(max) COLLATE Latin1_General_100_CI_AS", true},
		{foreign(database.Bytes, nil), "varbinary(max)", true}, {foreign(database.UUID, nil), "uniqueidentifier", true},
		{foreign(database.Time, nil), "time(6)", true}, {foreign(database.Timestamp, func(c *database.Column) { c.Type.Fraction = fraction(9) }), "datetime2(7)", true},
		{foreign(database.TimestampTZ, nil), "datetimeoffset(6)", true}, {foreign(database.Interval, nil), "nvarchar(64)" + exact, false},
		{foreign(database.Enum, func(c *database.Column) { c.Type.Values = []string{"100%"} }), "nvarchar(4)" + exact, false},
	} {
		got := mapType(c.asked)
		if got.SQL != c.want || (got.Lost == "") != c.exact {
			t.Errorf("%+v becomes %s (%s), want %s", c.asked.Column.Type, got.SQL, got.Lost, c.want)
		}
	}
	key := foreign(database.Text, nil)
	key.Keyed = true
	if got := mapType(key); !strings.HasPrefix(got.SQL, "nvarchar(450)") || got.Lost == "" {
		t.Errorf("a key of text becomes %+v", got)
	}
}

func TestFloatsThatAreNotFiniteAreRefused(t *testing.T) {
	m := mapType(foreign(database.Float, nil))
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, _, err := m.Convert.Cell(database.Cell{Class: database.ClassFloat, Float: v}); err == nil {
			t.Errorf("%v was taken", v)
		}
	}
}

func TestThePasswordIsNeverPrinted(t *testing.T) {
	for _, raw := range []string{"sqlserver://sa:t1ger@127.0.0.1:1?database=x&dial+timeout=1", "sqlserver://sa:t1ger@h", "sqlserver://sa:t1ger@h?database=x&encrypt=wat"} {
		at, err := database.ParseLocation(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = (Driver{}).OpenTarget(t.Context(), at, database.TargetOptions{}); err == nil || strings.Contains(err.Error(), "t1ger") {
			t.Errorf("%s: the error is %v", at, err)
		}
	}
}
